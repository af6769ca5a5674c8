// The best plan that we can find for a trace with everything known beforehand: when each request
// comes, how long its answer will be, and how the engine steps. It can be carried out (played on
// ExactEngine it keeps the service level of every request), so the best plan of all costs at most
// this, and at least what tests/sim/bound.py says.
//
// A plan marks requests for the cloud; the others are served here if that keeps everybody's level
// (ExactEngine::fits), else they go to the cloud too. Search: sweeps over the trace, a window of
// some seconds at a time. In each, several changes of the marks are tried (all below a value per
// second of work, a few flips, none at all), each played on for a while beyond the window; the best
// stays. Steps and order are fixed by the seed, so the same seed finds the same plan.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/exact_engine.h"
#include "tests/sim/trace.h"

namespace sluice::sim {

struct SearchEffort {
  int sweeps = 3;
  int changes = 24;      // tried in each window
  double window_s = 8;   // its marks are changed
  double beyond_s = 40;  // and played on for
  double stride_s = 4;   // to the next window
  uint64_t seed = 1;
};

struct PlayedPlan {
  std::vector<bool> cloud;  // by request
  double cost = 0;          // share of the weighted tokens that goes to the cloud
  double cloud_share = 0;   // of the requests
  int64_t missed = 0;       // service levels; 0 unless the engine cannot keep them at all
};

// No marks: who fits is served here.
PlayedPlan greedy_plan(const Trace& trace, const EngineLaw& law, Level level);

PlayedPlan best_plan(const Trace& trace, const EngineLaw& law, Level level,
                     const SearchEffort& effort);

}  // namespace sluice::sim
