// When a request is late enough for a second copy of it on another node.
#pragma once

#include "firmware/base/time.h"
#include "firmware/valve/ask.h"
#include "firmware/valve/plan.h"
#include "firmware/valve/policy.h"
#include "firmware/valve/view.h"

namespace sluice::valve {

// From sending to the first of `plan`'s candidates; zero: never. What of the node's answers of late
// began later is the settings' choice (NodeView::ttft_late); a prompt that was expected to take
// longer than that is given its time. Of streams only: an answer in one piece has its first byte at
// its end, and a copy would cost the whole answer.
Duration hedge_after(const Plan& plan, const Ask& ask, const View& view, const Policy& policy);

}  // namespace sluice::valve
