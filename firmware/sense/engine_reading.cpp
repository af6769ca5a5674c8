#include "firmware/sense/engine_reading.h"

#include <algorithm>

namespace sluice::sense {

namespace {

using ScalarOf = std::optional<double> EngineReading::*;
using HistogramOf = std::optional<Histogram> EngineReading::*;

constexpr std::pair<EngineField, ScalarOf> kScalars[] = {
    {EngineField::running, &EngineReading::running},
    {EngineField::waiting, &EngineReading::waiting},
    {EngineField::limit, &EngineReading::limit},
    {EngineField::kv_usage, &EngineReading::kv_usage},
    {EngineField::prompt_tokens, &EngineReading::prompt_tokens},
    {EngineField::generation_tokens, &EngineReading::generation_tokens},
    {EngineField::preemptions, &EngineReading::preemptions},
    {EngineField::prefix_queries, &EngineReading::prefix_queries},
    {EngineField::prefix_hits, &EngineReading::prefix_hits},
    {EngineField::in_flight, &EngineReading::in_flight},
};
constexpr std::pair<EngineField, HistogramOf> kHistograms[] = {
    {EngineField::ttft, &EngineReading::ttft},
    {EngineField::tpot, &EngineReading::tpot},
    {EngineField::queue_time, &EngineReading::queue_time},
};

void take(const FieldReport& report, EngineReading& reading) {
  for (const auto& [field, member] : kScalars) {
    if (report.field == to_text(field)) reading.*member = report.value;
  }
  for (const auto& [field, member] : kHistograms) {
    if (report.field == to_text(field)) reading.*member = report.histogram;
  }
  const bool is_yes = report.value && *report.value >= 0.5;
  if (report.field == to_text(EngineField::asleep)) reading.asleep = is_yes;
  if (report.field == to_text(EngineField::loading)) reading.loading = is_yes;
}

}  // namespace

EngineReading read_engine(const Answers& answers, const DriverFacts& facts) {
  EngineReading reading;
  reading.fields = report_engine(answers, facts);
  for (const FieldReport& report : reading.fields) {
    take(report, reading);
    if (!report.is_present) reading.missing.emplace_back(report.field);
  }
  if (answers.page != nullptr) reading.bad_lines = answers.page->bad_lines;
  return reading;
}

EngineReading read_engine(const Exposition& page, const DriverFacts& facts) {
  Answers answers;
  answers.page = &page;
  return read_engine(answers, facts);
}

HistogramDelta delta(const Histogram& before, const Histogram& after) {
  if (after.count < before.count) return {HistogramDelta::Kind::restarted, {}};
  const bool same_bounds = std::equal(
      before.buckets.begin(), before.buckets.end(), after.buckets.begin(), after.buckets.end(),
      [](const auto& a, const auto& b) { return a.first == b.first; });
  if (!same_bounds) return {HistogramDelta::Kind::rebased, {}};
  HistogramDelta change;
  change.window.sum = after.sum - before.sum;
  change.window.count = after.count - before.count;
  double below = 0;
  for (size_t i = 0; i < after.buckets.size(); ++i) {
    const double cumulative = after.buckets[i].second - before.buckets[i].second;
    if (cumulative < below || cumulative > change.window.count) {
      return {HistogramDelta::Kind::restarted, {}};
    }
    below = cumulative;
    change.window.buckets.emplace_back(after.buckets[i].first, cumulative);
  }
  if (change.window.sum < 0) return {HistogramDelta::Kind::restarted, {}};
  return change;
}

std::optional<double> quantile(const Histogram& histogram, double q) {
  if (!(histogram.count > 0) || histogram.buckets.empty() || !(q >= 0 && q <= 1)) {
    return std::nullopt;
  }
  const double rank = q * histogram.count;
  double lower_bound = 0;
  double below = 0;
  for (const auto& [bound, cumulative] : histogram.buckets) {
    if (cumulative >= rank && cumulative > below) {
      return lower_bound + (bound - lower_bound) * ((rank - below) / (cumulative - below));
    }
    lower_bound = bound;
    below = cumulative;
  }
  return histogram.buckets.back().first;
}

std::optional<double> mean(const Histogram& histogram) {
  if (!(histogram.count > 0)) return std::nullopt;
  return histogram.sum / histogram.count;
}

}  // namespace sluice::sense
