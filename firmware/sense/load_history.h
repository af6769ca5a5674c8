// What an engine told lately, kept so far that windows can be made of it: latencies and the share
// of cached prompts are differences of two looks, never figures of its whole life.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "firmware/base/time.h"
#include "firmware/sense/engine_reading.h"
#include "firmware/sense/load.h"

namespace sluice::sense {

inline constexpr Duration kLatencyWindow = Duration::seconds(10);
inline constexpr Duration kLatencyWindowMax = Duration::seconds(120);  // where little ends
inline constexpr double kWindowCompletions = 20;            // fewer: the window is widened
inline constexpr Duration kLookGap = Duration::seconds(2);  // between looks that are kept
inline constexpr size_t kLooksMax = 64;

class LoadHistory {
 public:
  // A restart, or other bucket bounds than before, begins all windows anew.
  void add(const EngineReading& reading, Instant at);
  void clear() { *this = {}; }

  // Figures older than `stale_after` are called stale; zero: never. Those of documents asked at the
  // pace of health probes may grow as old as `slow_stale_after`. Quantiles need kWindowCompletions,
  // a mean needs one.
  EngineLoad load(Duration stale_after, Instant now, Duration slow_stale_after = {}) const;

 private:
  struct Look {
    Instant at;
    std::optional<Histogram> ttft;
    std::optional<Histogram> tpot;
    std::optional<Histogram> queue_time;
    std::optional<double> prefix_queries;
    std::optional<double> prefix_hits;
  };
  using HistogramOf = std::optional<Histogram> Look::*;

  bool follows(const Look& before, const Look& after) const;
  void learn_limit(const EngineReading& reading);
  const FieldReport* report(EngineField field) const;
  LatencyLoad latency(HistogramOf part, EngineField field) const;
  void put_prefix_hits(EngineLoad& load) const;

  EngineReading last_;
  bool ever_ = false;
  std::deque<Look> looks_;  // oldest first; the last is the newest reading
  Instant kept_at_;         // of the last look that stays
  double crowd_ = 0;        // most requests seen running while others waited
  int crowd_looks_ = 0;     // in a row with both
};

}  // namespace sluice::sense
