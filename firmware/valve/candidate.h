// How a node becomes a candidate of a plan.
#pragma once

#include "firmware/valve/plan.h"
#include "firmware/valve/policy.h"
#include "firmware/valve/score.h"

namespace sluice::valve {

// How long the first byte may take. An answer in one piece has it when it is done: its tokens get
// twice the time that they should take, `tpot` each, so that a long answer is no failure and a hung
// engine is still one.
Duration first_byte_max(const Ask& ask, Duration tpot, Instant now, const Policy& policy);

Candidate candidate_of(const NodeView& node, const Forecast& forecast, const Score& score,
                       Duration first_byte_max);

}  // namespace sluice::valve
