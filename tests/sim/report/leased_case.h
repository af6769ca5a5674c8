// Leased instances beside the endpoint that is paid per token: an instance (H20 x 4) starts cold in
// 40 s, an instance-second costs as much as 7,200 input tokens, opened and closed by the real rule
// of firmware/capacity.
#pragma once

#include "firmware/ports/json.h"
#include "firmware/valve/policy.h"
#include "tests/sim/report/load_case.h"

namespace sluice::sim {

ports::JsonValue leased_case(const LoadCase& load, const Trace& arrivals,
                             const valve::Policy& policy);

}  // namespace sluice::sim
