// The forecast for an engine whose steps are known (step_model.h) and whose moment is followed
// (engine_moment.h).
//
// A prompt is computed after those sent before it, a chunk a step; so
//   TTFT = base + what is left of this step + ceil(n / chunk) * decode(b, K) + prefill * n
// with n the uncached prompt tokens ahead and its own. A stream's mean time per token lies between
// that of steps without prefill, stretched by the share of time that prefill takes, and that of
// steps that all carry a full chunk: TPOT = min(decode / (1 - duty), decode + prefill * chunk).
// Both follow from the step model by counting; the second is a fluid limit.
#pragma once

#include "firmware/valve/forecast.h"

namespace sluice::valve {

// How long after `moment` a prompt of so many uncached tokens has its first token, if it were sent
// now behind `held` more.
Duration first_token_after(const StepModel& step, const EngineMoment& moment, Tokens uncached,
                           Tokens held);

Forecast engine_forecast(const NodeView& node, const Ask& ask, const Policy& policy, Instant now,
                         Tokens held);

// The most sequences that may decode at once under `tpot_max`; INT_MAX if any number may.
int sequences_within(const StepModel& step, const EngineMoment& moment, double duty,
                     Duration tpot_max);

// The most at once that keep `promised`, and which limit that is.
int line_of_engine(const NodeView& node, double duty, Duration promised, Bound& bound);

}  // namespace sluice::valve
