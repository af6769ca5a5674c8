// Arrivals that somebody recorded (firmware/rehearse/arrivals.h), read from files and cut to the
// part that a run wants.
#pragma once

#include <cstdint>
#include <string>

#include "firmware/base/result.h"
#include "firmware/rehearse/arrivals.h"

namespace sluice::sim {

using rehearse::Arrival;
using rehearse::dilated;
using rehearse::kStepSecondsMax;
using rehearse::offered_load;
using rehearse::parse_trace;
using rehearse::Trace;
using rehearse::work_seconds;
using rehearse::WorkLaw;

// Errors: gone, the file cannot be read; those of parse_trace().
Result<Trace> read_trace(const std::string& path);

// Those in [from, from + length), times counted from `from`.
Trace slice(const Trace& trace, int64_t from_us, int64_t length_us);

// Where a slice of this length begins that has the heaviest ten minutes in its middle, as far as
// the recording reaches.
int64_t peak_begin_us(const Trace& trace, const WorkLaw& law, int64_t length_us);

// Input tokens + 4 x output tokens: what a per-token cloud charges, in units of an input token.
double weighted_tokens(const Arrival& arrival);

}  // namespace sluice::sim
