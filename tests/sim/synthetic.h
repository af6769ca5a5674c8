// Arrivals that nobody tuned for: drawn from a seed, bit for bit the same everywhere.
//
// code-like: programs that ask in bursts. Gaps are hyperexponential with two phases of equal share
// of the time (coefficient of variation 13), prompts are long, answers short.
// diurnal: a Poisson process whose rate swings once a day by 0.7 of its mean, thinned from its
// greatest rate (Lewis and Shedler, 1979); many clients, lengths of reasoning models.
// Lengths are lognormal and cut at a greatest length.
#pragma once

#include <cstdint>

#include "tests/sim/trace.h"

namespace sluice::sim {

// `seconds` of arrivals at `per_second` on average.
Trace code_like(double per_second, double seconds, uint64_t seed);
Trace diurnal(double per_second, double seconds, uint64_t seed);

}  // namespace sluice::sim
