// One look at an engine, in our words. Pure: a page and the engine's facts in, numbers out.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/sense/engine_facts.h"
#include "firmware/sense/exposition.h"

namespace sluice::sense {

// Cumulative since the engine's start, summed over all its series.
struct Histogram {
  double sum = 0;
  double count = 0;                                // all observations, the bucket +Inf
  std::vector<std::pair<double, double>> buckets;  // finite bound, observations <= it; rising
  bool operator==(const Histogram&) const = default;
};

// Nothing: the page does not tell it (or told a value that means "unknown").
struct EngineReading {
  std::optional<double> running;
  std::optional<double> waiting;
  std::optional<double> limit;
  std::optional<double> kv_usage;  // 0..1, of the fullest engine
  std::optional<double> prompt_tokens;
  std::optional<double> generation_tokens;
  std::optional<double> generation_seconds;
  std::optional<double> preemptions;
  std::optional<Histogram> ttft;  // seconds
  std::optional<Histogram> tpot;
  std::optional<Histogram> queue_time;
  bool asleep = false;
  std::vector<std::string> missing;  // fields that the facts name and the page does not give
  int bad_lines = 0;
  Duration took;  // from the question to the answer: somewhere in between the page was made
};

EngineReading read_engine(const Exposition& page, const EngineFacts& facts);

// What happened between two looks.
struct HistogramDelta {
  enum class Kind {
    window,     // `window` holds what came in between
    restarted,  // something counts less than before: the engine began anew
    rebased,    // other bucket bounds than before: `after` is the first of a new series
  } kind = Kind::window;
  Histogram window;  // empty unless kind is window
};
HistogramDelta delta(const Histogram& before, const Histogram& after);

// The value below which the share q (0..1) of the observations lies, straight within a bucket as in
// Prometheus' histogram_quantile; beyond the last bound it is that bound. Nothing if none was made.
std::optional<double> quantile(const Histogram& histogram, double q);
std::optional<double> mean(const Histogram& histogram);

}  // namespace sluice::sense
