// What is measured: recorded or drawn arrivals, stretched to a load, on one engine beside an
// endpoint that is paid per token and has no limit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "tests/sim/exact_engine.h"
#include "tests/sim/site.h"
#include "tests/sim/trace.h"

namespace sluice::sim {

struct LoadCase {
  std::string name;
  std::string arrivals;  // a file of tests/data/traces, "code-like" or "diurnal"
  std::string card;
  int64_t chunk_tokens = 0;
  double rho = 0;
  double around_peak_hours = 0;  // 0: all of it
};

const std::vector<LoadCase>& load_cases();
const LoadCase* find_load_case(std::string_view name);

testbed::StepCost engine_of(const LoadCase& load);
EngineLaw law_of(const testbed::StepCost& cost);

// Sliced, then stretched. `first_s`: only what comes in so many seconds; 0 = all.
Result<Trace> arrivals_of(const LoadCase& load, const std::string& trace_folder, double first_s);

// The endpoint answers after 0.3 s and a round trip of 30 ms, whatever the prompt.
NodeSpec unlimited_cloud();

}  // namespace sluice::sim
