// One look at an engine, in our words. Pure: a page, documents and the driver's facts in, numbers
// out.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/sense/driver_facts.h"
#include "firmware/sense/exposition.h"
#include "firmware/sense/field_report.h"

namespace sluice::sense {

// Nothing: the page does not tell it (or told a value that means "unknown").
struct EngineReading {
  std::optional<double> running;
  std::optional<double> waiting;
  std::optional<double> limit;
  std::optional<double> kv_usage;  // 0..1, of the fullest engine
  std::optional<double> prompt_tokens;
  std::optional<double> generation_tokens;
  std::optional<double> preemptions;
  std::optional<double> prefix_queries;  // tokens, counters
  std::optional<double> prefix_hits;
  std::optional<double> in_flight;  // running and waiting together, where it tells no more
  std::optional<Histogram> ttft;    // seconds
  std::optional<Histogram> tpot;
  std::optional<Histogram> queue_time;
  bool asleep = false;
  bool loading = false;
  std::vector<std::string> missing;  // fields that the facts map and that nothing told
  int bad_lines = 0;
  Duration took;  // from the question to the answer: somewhere in between the page was made
  std::vector<FieldReport> fields;  // of all that the facts map, with the names that told them
};

EngineReading read_engine(const Answers& answers, const DriverFacts& facts);
EngineReading read_engine(const Exposition& page, const DriverFacts& facts);  // no documents

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
