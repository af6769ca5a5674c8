#include "firmware/sense/engine_reading.h"

#include <algorithm>
#include <cmath>

#include "firmware/base/text.h"

namespace sluice::sense {

namespace {

// Engines write NaN, -1 or the largest 64-bit integer for "unknown"; none of our quantities is
// negative or near 2^63.
constexpr double kUnknownFrom = 9.2e18;
bool is_told(double value) { return value >= 0 && value < kUnknownFrom; }

bool matches(const Exposition& page, const Sample& sample, const std::vector<LabelMatch>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const LabelMatch& match) {
    const Label* label = page.label(sample, match.name);
    return label != nullptr && unescape_label(label->escaped) == match.value;
  });
}

std::optional<double> read_scalar(const Exposition& page, const MetricSource& source) {
  double sum = 0;
  double max = 0;
  int count = 0;
  for (const Sample& sample : page.samples) {
    if (sample.name != source.metric || !is_told(sample.value)) continue;
    if (!matches(page, sample, source.labels)) continue;
    sum += sample.value;
    max = std::max(max, sample.value);
    ++count;
  }
  if (count == 0) return std::nullopt;
  const double value = source.aggregate == Aggregate::max   ? max
                       : source.aggregate == Aggregate::avg ? sum / count
                                                            : sum;
  return value * source.scale;
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

HistogramParts collect(const Exposition& page, const MetricSource& source) {
  const std::string bucket_name = source.metric + "_bucket";
  const std::string sum_name = source.metric + "_sum";
  const std::string count_name = source.metric + "_count";
  HistogramParts parts;
  for (const Sample& sample : page.samples) {
    const bool is_bucket = sample.name == bucket_name;
    const bool is_count = sample.name == count_name;
    if (!is_bucket && !is_count && sample.name != sum_name) continue;
    if (!is_told(sample.value) || !matches(page, sample, source.labels)) continue;
    if (!is_bucket) {
      (is_count ? parts.count : parts.sum) += sample.value;
      ++(is_count ? parts.count_series : parts.sum_series);
      continue;
    }
    const Label* le = page.label(sample, "le");
    const std::optional<double> bound = le == nullptr ? std::nullopt : to_number(le->escaped);
    if (!bound || std::isnan(*bound)) continue;
    if (std::isinf(*bound)) {
      parts.infinite += sample.value;
      ++parts.infinite_series;
    } else {
      parts.buckets.emplace_back(*bound * source.scale, sample.value);
    }
  }
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

std::optional<Histogram> read_histogram(const Exposition& page, const MetricSource& source) {
  HistogramParts parts = collect(page, source);
  const int series = std::max(parts.count_series, parts.infinite_series);
  if (series == 0 || parts.sum_series != series) return std::nullopt;
  Histogram histogram;
  histogram.sum = parts.sum;
  histogram.count = parts.count_series >= parts.infinite_series ? parts.count : parts.infinite;
  histogram.buckets = merge(std::move(parts.buckets), series);
  double below = 0;
  for (const auto& [bound, cumulative] : histogram.buckets) {
    if (cumulative < below || cumulative > histogram.count) return std::nullopt;  // not cumulative
    below = cumulative;
  }
  return histogram;
}

// The first source that the page has.
template <class Value, class Read>
std::optional<Value> read_first(const Exposition& page, const EngineFacts& facts, EngineField field,
                                std::vector<std::string>& missing, Read read) {
  const std::vector<MetricSource>& sources = facts.sources(field);
  for (const MetricSource& source : sources) {
    if (std::optional<Value> value = read(page, source)) return value;
  }
  if (!sources.empty()) missing.emplace_back(to_text(field));
  return std::nullopt;
}

}  // namespace

EngineReading read_engine(const Exposition& page, const EngineFacts& facts) {
  EngineReading reading;
  const auto scalar = [&](EngineField field) {
    return read_first<double>(page, facts, field, reading.missing, read_scalar);
  };
  const auto histogram = [&](EngineField field) {
    return read_first<Histogram>(page, facts, field, reading.missing, read_histogram);
  };
  reading.running = scalar(EngineField::running);
  reading.waiting = scalar(EngineField::waiting);
  reading.limit = scalar(EngineField::limit);
  reading.kv_usage = scalar(EngineField::kv_usage);
  reading.prompt_tokens = scalar(EngineField::prompt_tokens);
  reading.generation_tokens = scalar(EngineField::generation_tokens);
  reading.generation_seconds = scalar(EngineField::generation_seconds);
  reading.preemptions = scalar(EngineField::preemptions);
  reading.asleep = scalar(EngineField::awake) == 0.0;
  reading.ttft = histogram(EngineField::ttft);
  reading.tpot = histogram(EngineField::tpot);
  reading.queue_time = histogram(EngineField::queue_time);
  reading.bad_lines = page.bad_lines;
  return reading;
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
