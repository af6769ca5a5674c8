#include "firmware/sense/field_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "firmware/sense/fingerprint.h"
#include "firmware/sense/series_groups.h"
#include "firmware/sense/value_source.h"

namespace sluice::sense {

namespace {

using Form = ValueSource::Form;

std::string with_labels(std::string name, const ValueSource& source) {
  if (source.labels.empty()) return name;
  std::string labels;
  for (const LabelMatch& match : source.labels) {
    labels += fmt::format("{}{}=\"{}\"", labels.empty() ? "" : ",", match.name, match.value);
  }
  return fmt::format("{}{{{}}}", name, labels);
}

std::string prefixed(std::string_view prefix, const std::string& name) {
  return prefix.empty() ? name : std::string(prefix) + name;
}

std::string shown_on(const Series& series, const ValueSource& source) {
  return source.form == Form::member ? source.shown : prefixed(series.prefix, source.shown);
}

// The names that were looked for and are not there.
void add_missing(const Series& series, const ValueSource& source,
                 std::vector<std::string>& missing) {
  if (source.metrics.size() < 2) return missing.push_back(shown_on(series, source));
  for (const std::string& metric : source.metrics) {
    if (!has_series(series, metric)) missing.push_back(prefixed(series.prefix, metric));
  }
}

class EngineReporter {
 public:
  EngineReporter(const Answers& answers, const DriverFacts& facts)
      : answers_(answers),
        facts_(facts),
        page_(answers.page != nullptr ? *answers.page : empty_),
        prefix_(prefix_on(page_, facts)),
        samples_(page_.samples.size()) {
    std::iota(samples_.begin(), samples_.end(), 0U);
    sort_by_name(page_, samples_);
  }

  std::vector<FieldReport> report() const {
    std::vector<FieldReport> reports;
    reports.reserve(kEngineFieldCount);
    for (size_t i = 0; i < kEngineFieldCount; ++i) {
      const EngineField field = static_cast<EngineField>(i);
      if (!facts_.sources_of(field).empty()) reports.push_back(report(field));
    }
    return reports;
  }

 private:
  FieldReport report(EngineField field) const {
    FieldReport report;
    report.field = to_text(field);
    const Series series{page_, samples_, prefix_};
    for (const ValueSource& source : facts_.sources_of(field)) {
      if (source.form == Form::member ? read_document(source, report)
                                      : read_page(series, source, is_histogram(field), report)) {
        report.is_present = true;
        report.confidence = source.is_derived() ? Confidence::derived : Confidence::told;
        report.source = shown_on(series, source);
        return report;
      }
      report.is_unknown = report.is_unknown || is_there(series, source);
      add_missing(series, source, report.missing);
    }
    return report;
  }

  bool is_there(const Series& series, const ValueSource& source) const {
    if (source.form != Form::member) {
      return std::all_of(source.metrics.begin(), source.metrics.end(),
                         [&](const std::string& name) { return has_series(series, name); });
    }
    const DocumentAnswer* answer = answers_.document(facts_.document(source.document)->path);
    return answer != nullptr && !find_members(*answer->json, source.member).empty();
  }

  bool read_document(const ValueSource& source, FieldReport& report) const {
    const DocumentAnswer* answer = answers_.document(facts_.document(source.document)->path);
    if (answer == nullptr) return false;
    report.value = read_member(*answer->json, source, facts_.sentinels);
    report.at = answer->at;
    report.is_slow = answer->is_slow;
    return report.value.has_value();
  }

  bool read_page(const Series& series, const ValueSource& source, bool histogram,
                 FieldReport& report) const {
    if (histogram) {
      report.histogram = read_histogram(series, source, facts_.sentinels);
      return report.histogram.has_value();
    }
    const std::optional<ToldValue> told = read_value(series, source, facts_.sentinels);
    if (!told) return false;
    report.value = told->value;
    report.stamp_ms = told->stamp_ms;
    report.at = std::nullopt;
    report.is_slow = false;
    return true;
  }

  const Answers& answers_;
  const DriverFacts& facts_;
  const Exposition empty_;
  const Exposition& page_;
  const std::string prefix_;
  std::vector<uint32_t> samples_;
};

}  // namespace

const DocumentAnswer* Answers::document(std::string_view path) const {
  for (const DocumentAnswer& candidate : documents) {
    if (candidate.path == path && candidate.json != nullptr) return &candidate;
  }
  return nullptr;
}

std::string name_of(const ValueSource& source, const DriverFacts& facts) {
  switch (source.form) {
    case Form::metric:
      return with_labels(source.metrics.front(), source);
    case Form::labels:
      return fmt::format("{}{{{}}}", source.metrics.front(), fmt::join(source.value_labels, ","));
    case Form::ratio:
    case Form::per:
      return fmt::format("{}", fmt::join(source.metrics, " / "));
    case Form::sum_of:
      return fmt::format("{}", fmt::join(source.metrics, " + "));
    case Form::member:
      return fmt::format("{} {}", facts.document(source.document)->path, source.member);
  }
  return {};
}

std::vector<FieldReport> report_engine(const Answers& answers, const DriverFacts& facts) {
  return EngineReporter(answers, facts).report();
}

std::vector<FieldReport> report_accelerators(const Exposition& page, const DriverFacts& facts) {
  const std::string prefix = prefix_on(page, facts);
  const std::vector<SeriesGroup> groups = group_by_device(page, facts, prefix);
  std::vector<FieldReport> reports;
  for (size_t i = 0; i < kAcceleratorFieldCount; ++i) {
    const AcceleratorField field = static_cast<AcceleratorField>(i);
    if (facts.sources_of(field).empty()) continue;
    FieldReport report;
    report.field = to_text(field);
    for (const SeriesGroup& group : groups) {
      report = report_device({page, group.samples, prefix}, facts, field);
      if (report.is_present) break;
    }
    if (groups.empty()) report = report_device({page, {}, prefix}, facts, field);
    reports.push_back(std::move(report));
  }
  return reports;
}

Figure figure_of(const FieldReport& report, Instant at) {
  Figure figure;
  if (!report.value) {
    if (!report.missing.empty()) figure.source = report.missing.front() + " is missing";
    return figure;
  }
  figure.value = report.value;
  figure.confidence = report.confidence;
  figure.source = report.source;
  figure.at = report.at.value_or(at);
  figure.stamp_ms = report.stamp_ms;
  return figure;
}

FieldReport report_device(const Series& series, const DriverFacts& facts, AcceleratorField field) {
  FieldReport report;
  report.field = to_text(field);
  for (const ValueSource& source : facts.sources_of(field)) {
    if (const std::optional<ToldValue> told = read_value(series, source, facts.sentinels)) {
      report.is_present = true;
      report.value = told->value;
      report.stamp_ms = told->stamp_ms;
      report.confidence = source.is_derived() ? Confidence::derived : Confidence::told;
      report.source = shown_on(series, source);
      return report;
    }
    add_missing(series, source, report.missing);
  }
  return report;
}

}  // namespace sluice::sense
