// What a request would suffer on a node: TTFT, TPOT and the water level.
//
// TPOT of a continuous-batching engine grows with the number of sequences it decodes (one step
// serves all of them), so it is read off a curve measured on this engine: linear between points,
// flat below the first, beyond the last with the slope of its clear rise. Beyond what was measured
// the curve is trusted only a little further at a time (Policy::growth), and an engine never
// measured up to NodeView::untried_concurrency. TTFT = base + tokens ahead (own prompt included) /
// prefill rate + wait for a slot, the usual first-come queue estimate: requests ahead of us over
// the rate at which slots come free (slots / residence; Little's law).
// All that is for an engine whose steps are not known; engine_forecast.h is for one whose are.
#pragma once

#include "firmware/base/time.h"
#include "firmware/valve/ask.h"
#include "firmware/valve/policy.h"
#include "firmware/valve/view.h"

namespace sluice::valve {

// Which of the limits sets the line.
enum class Bound { none, tpot, untried, slots, ttft };

struct Forecast {
  Duration ttft;           // since the request arrived, the time that it has waited included
  Duration ttft_high;      // rarely later than this
  Duration tpot;           // zero = not known
  int concurrency = 0;     // with this request
  int line = 0;            // the most concurrent requests that keep the service level; 0 = no limit
  double crowd_level = 0;  // concurrency against the line
  double level = 0;        // water level: the worse of crowd_level and TTFT against its promise;
                           // above 1 the service level is missed
  Bound bound = Bound::none;  // what the level was measured by
  bool makes_late = false;    // sent now, it would make a prompt late that is computed just now
  bool queues = false;        // sent now, it would wait in the engine's queue, for long
  bool operator==(const Forecast&) const = default;
};

// The measured or extrapolated TPOT; zero if nothing was measured.
Duration tpot_at(const NodeView& node, int concurrency);

// The greatest concurrency at which no request would miss `tpot_max`, as far as it is known.
// 0 = no limit known. `bound` may be null.
int line_of(const NodeView& node, Duration tpot_max, const Policy& policy, Bound* bound);

// The time that the request has waited, as far as it counts: once the promise is lost by waiting,
// what matters is how soon it comes now.
Duration waited_of(const Ask& ask, Instant now);

// `held`: prompt tokens that wait in the box and go before it.
Forecast forecast(const NodeView& node, const Ask& ask, const Policy& policy, Instant now,
                  Tokens held = {});

}  // namespace sluice::valve
