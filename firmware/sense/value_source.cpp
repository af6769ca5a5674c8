#include "firmware/sense/value_source.h"

#include <algorithm>
#include <cmath>

#include "firmware/base/text.h"

namespace sluice::sense {

namespace {

using Form = ValueSource::Form;

// Engines write NaN, -1 or the largest 64-bit integer for "unknown"; none of our quantities is
// negative or near 2^63.
constexpr double kUnknownFrom = 9.2e18;

bool is_sentinel(double value, std::span<const Sentinel> sentinels) {
  return std::any_of(sentinels.begin(), sentinels.end(), [value](const Sentinel& sentinel) {
    return sentinel.and_above ? value >= sentinel.value : value == sentinel.value;
  });
}

// What of a source stays the same while its samples are looked at.
struct Belief {
  const ValueSource& source;
  std::span<const Sentinel> sentinels;

  bool holds(double value) const {
    return value >= 0 && value < kUnknownFrom && !is_sentinel(value, sentinels) &&
           !is_sentinel(value, source.sentinels);
  }
};

// The samples with this name, in page order.
std::span<const uint32_t> named(const Series& series, std::string_view name) {
  std::string prefixed;
  if (!series.prefix.empty()) name = prefixed.append(series.prefix).append(name);
  const auto name_at = [&](uint32_t index) { return series.page.samples[index].name; };
  const auto first =
      std::lower_bound(series.samples.begin(), series.samples.end(), name,
                       [&](uint32_t index, std::string_view key) { return name_at(index) < key; });
  auto last = first;
  while (last != series.samples.end() && name_at(*last) == name) ++last;
  return {first, last};
}

bool says(const Label& label, std::string_view value) {
  if (label.escaped.find('\\') == std::string_view::npos) return label.escaped == value;
  return unescape_label(label.escaped) == value;
}

// As with Prometheus, a label that is absent is one with an empty value.
bool matches(const Exposition& page, const Sample& sample, const std::vector<LabelMatch>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const LabelMatch& match) {
    const Label* label = page.label(sample, match.name);
    return label == nullptr ? match.value.empty() : says(*label, match.value);
  });
}

// Values of the series that match, joined.
class Joined {
 public:
  void add(double value, std::optional<int64_t> stamp_ms) {
    sum_ += value;
    max_ = count_ == 0 ? value : std::max(max_, value);
    if (!newest_.stamp_ms || (stamp_ms && *stamp_ms >= *newest_.stamp_ms)) {
      newest_ = {value, stamp_ms};
    }
    ++count_;
  }
  std::optional<ToldValue> as(Aggregate aggregate) const {
    if (count_ == 0) return std::nullopt;
    switch (aggregate) {
      case Aggregate::sum:
        return ToldValue{sum_, newest_.stamp_ms};
      case Aggregate::max:
        return ToldValue{max_, newest_.stamp_ms};
      case Aggregate::avg:
        return ToldValue{sum_ / count_, newest_.stamp_ms};
      case Aggregate::count:
        return ToldValue{static_cast<double>(count_), newest_.stamp_ms};
      case Aggregate::newest:
        return newest_;
    }
    return std::nullopt;
  }

 private:
  double sum_ = 0;
  double max_ = 0;
  int count_ = 0;
  ToldValue newest_;
};

// Numbers that stand in labels, e.g. blocks times tokens per block.
std::optional<double> product_of_labels(const Exposition& page, const Sample& sample,
                                        const ValueSource& source) {
  double product = 1;
  for (const std::string& name : source.value_labels) {
    const Label* label = page.label(sample, name);
    const std::optional<double> value = label ? to_number(label->escaped) : std::nullopt;
    if (!value) return std::nullopt;
    product *= *value;
  }
  return product;
}

std::optional<ToldValue> join(const Series& series, const Belief& belief, std::string_view metric) {
  const ValueSource& source = belief.source;
  Joined joined;
  for (const uint32_t index : named(series, metric)) {
    const Sample& sample = series.page.samples[index];
    if (!matches(series.page, sample, source.labels)) continue;
    std::optional<double> value = sample.value;
    if (source.form == Form::labels) value = product_of_labels(series.page, sample, source);
    if (value && belief.holds(*value)) joined.add(*value, sample.timestamp_ms);
  }
  return joined.as(source.aggregate);
}

// From the number as told to the number as meant, in the unit of the field.
std::optional<double> meant(double told, const ValueSource& source) {
  if (!source.meanings.empty()) {
    for (const auto& [from, to] : source.meanings) {
      if (told == from) return to;
    }
    return std::nullopt;
  }
  if (source.percent_above_one && told > 1) told *= 0.01;
  const double value = told * source.scale;
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

std::optional<ToldValue> joined_value(const Series& series, const Belief& belief) {
  const std::vector<std::string>& metrics = belief.source.metrics;
  if (belief.source.form == Form::member) return std::nullopt;
  std::optional<ToldValue> first = join(series, belief, metrics.front());
  for (size_t i = 1; i < metrics.size() && first; ++i) {
    const std::optional<ToldValue> next = join(series, belief, metrics[i]);
    if (!next) return std::nullopt;
    if (belief.source.form == Form::sum_of) {
      first->value += next->value;
    } else {
      if (next->value <= 0) return std::nullopt;
      first->value /= next->value;
    }
  }
  return first;
}

// The buckets of all series as they stand on the page, each with its bound.
struct HistogramParts {
  double sum = 0;
  double count = 0;
  int sum_series = 0;
  int count_series = 0;
  double infinite = 0;  // of the buckets without bound
  int infinite_series = 0;
  std::vector<std::pair<double, double>> buckets;
};

void add_bucket(const Exposition& page, const Sample& sample, double scale, HistogramParts& parts) {
  const Label* le = page.label(sample, "le");
  const std::optional<double> bound = le == nullptr ? std::nullopt : to_number(le->escaped);
  if (!bound || std::isnan(*bound)) return;
  if (std::isinf(*bound)) {
    parts.infinite += sample.value;
    ++parts.infinite_series;
  } else {
    parts.buckets.emplace_back(*bound * scale, sample.value);
  }
}

HistogramParts collect(const Series& series, const Belief& belief) {
  const ValueSource& source = belief.source;
  HistogramParts parts;
  const auto each = [&](const char* part, auto take) {
    for (const uint32_t index : named(series, source.metrics.front() + part)) {
      const Sample& sample = series.page.samples[index];
      if (belief.holds(sample.value) && matches(series.page, sample, source.labels)) take(sample);
    }
  };
  each("_count", [&](const Sample& sample) {
    parts.count += sample.value;
    ++parts.count_series;
  });
  each("_sum", [&](const Sample& sample) {
    parts.sum += sample.value;
    ++parts.sum_series;
  });
  each("_bucket",
       [&](const Sample& sample) { add_bucket(series.page, sample, source.scale, parts); });
  parts.sum *= source.scale;
  return parts;
}

// Sums over series. A bound that not every series has is left out: below it a sum would lie.
std::vector<std::pair<double, double>> merge(std::vector<std::pair<double, double>> parts,
                                             int series) {
  std::sort(parts.begin(), parts.end());
  std::vector<std::pair<double, double>> merged;
  for (size_t i = 0; i < parts.size();) {
    size_t end = i;
    double cumulative = 0;
    for (; end < parts.size() && parts[end].first == parts[i].first; ++end) {
      cumulative += parts[end].second;
    }
    if (end - i == static_cast<size_t>(series)) merged.emplace_back(parts[i].first, cumulative);
    i = end;
  }
  return merged;
}

void find_in(const ports::JsonValue& value, std::string_view member,
             std::vector<const ports::JsonValue*>& found) {
  if (member.empty()) return found.push_back(&value);
  if (member.starts_with("[]")) {
    const ports::JsonValue::Array* items = value.as_array();
    if (items == nullptr) return;
    member.remove_prefix(member.starts_with("[].") ? 3 : 2);
    for (const ports::JsonValue& item : *items) find_in(item, member, found);
    return;
  }
  const size_t end = std::min(member.find('.'), member.find("[]"));
  const ports::JsonValue* next = value.find(member.substr(0, end));
  if (next == nullptr) return;
  member.remove_prefix(std::min(end, member.size()));
  if (member.starts_with('.')) member.remove_prefix(1);
  find_in(*next, member, found);
}

std::optional<double> number_in(const ports::JsonValue& value, const ValueSource& source) {
  if (source.equals) {
    const std::string* text = value.as_text();
    if (text == nullptr) return std::nullopt;
    return *text == *source.equals ? 1.0 : 0.0;
  }
  if (const bool* flag = value.as_bool()) return *flag ? 1.0 : 0.0;
  if (const int64_t* whole = value.as_integer()) return static_cast<double>(*whole);
  if (const double* number = value.as_double()) return *number;
  return std::nullopt;
}

// Of the list "a.b[]"; an empty list counts 0, a missing one is not told.
std::optional<double> count_items(const ports::JsonValue& document, std::string_view member) {
  std::vector<const ports::JsonValue*> lists;
  find_in(document, member.substr(0, member.size() - 2), lists);
  if (lists.size() != 1 || lists.front()->as_array() == nullptr) return std::nullopt;
  return static_cast<double>(lists.front()->as_array()->size());
}

}  // namespace

std::optional<ToldValue> read_value(const Series& series, const ValueSource& source,
                                    std::span<const Sentinel> sentinels) {
  const Belief belief{source, sentinels};
  std::optional<ToldValue> told = joined_value(series, belief);
  if (!told) return std::nullopt;
  const std::optional<double> value = meant(told->value, source);
  if (!value) return std::nullopt;
  return ToldValue{*value, told->stamp_ms};
}

std::optional<Histogram> read_histogram(const Series& series, const ValueSource& source,
                                        std::span<const Sentinel> sentinels) {
  const Belief belief{source, sentinels};
  if (source.form == Form::per) {
    const std::optional<ToldValue> sum = join(series, belief, source.metrics[0]);
    const std::optional<ToldValue> count = join(series, belief, source.metrics[1]);
    if (!sum || !count) return std::nullopt;
    return Histogram{sum->value * source.scale, count->value, {}};
  }
  HistogramParts parts = collect(series, belief);
  const int all = std::max(parts.count_series, parts.infinite_series);
  if (all == 0 || parts.sum_series != all) return std::nullopt;
  Histogram histogram;
  histogram.sum = parts.sum;
  histogram.count = parts.count_series >= parts.infinite_series ? parts.count : parts.infinite;
  histogram.buckets = merge(std::move(parts.buckets), all);
  double below = 0;
  for (const auto& [bound, cumulative] : histogram.buckets) {
    if (cumulative < below || cumulative > histogram.count) return std::nullopt;  // not cumulative
    below = cumulative;
  }
  return histogram;
}

std::vector<const ports::JsonValue*> find_members(const ports::JsonValue& document,
                                                  std::string_view member) {
  std::vector<const ports::JsonValue*> found;
  find_in(document, member, found);
  return found;
}

std::optional<double> read_member(const ports::JsonValue& document, const ValueSource& source,
                                  std::span<const Sentinel> sentinels) {
  if (source.aggregate == Aggregate::count) return count_items(document, source.member);
  const Belief belief{source, sentinels};
  Joined joined;
  for (const ports::JsonValue* member : find_members(document, source.member)) {
    const std::optional<double> value = number_in(*member, source);
    if (value && belief.holds(*value)) joined.add(*value, std::nullopt);
  }
  const std::optional<ToldValue> told = joined.as(source.aggregate);
  return told ? meant(told->value, source) : std::nullopt;
}

bool has_series(const Series& series, std::string_view name) {
  return !named(series, name).empty();
}

// The samples of one name mostly stand together: what is sorted is such runs of them.
void sort_by_name(const Exposition& page, std::vector<uint32_t>& samples) {
  struct Run {
    std::string_view name;
    size_t begin;
    size_t end;
  };
  std::vector<Run> runs;
  for (size_t i = 0; i < samples.size(); ++i) {
    const std::string_view name = page.samples[samples[i]].name;
    if (runs.empty() || runs.back().name != name) runs.push_back({name, i, i});
    runs.back().end = i + 1;
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
    const int names = a.name.compare(b.name);
    return names != 0 ? names < 0 : a.begin < b.begin;
  });
  std::vector<uint32_t> sorted;
  sorted.reserve(samples.size());
  for (const Run& run : runs) {
    const auto first = samples.begin();
    sorted.insert(sorted.end(), first + static_cast<ptrdiff_t>(run.begin),
                  first + static_cast<ptrdiff_t>(run.end));
  }
  samples.swap(sorted);
}

}  // namespace sluice::sense
