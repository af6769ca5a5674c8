#include "firmware/valve/hedge.h"

#include <algorithm>

namespace sluice::valve {

Duration hedge_after(const Plan& plan, const Ask& ask, const View& view, const Policy& policy) {
  if (!policy.hedge || !ask.stream || plan.candidates.size() < 2) return {};
  if (plan.candidates[1].forecast.level > 1) return {};  // a copy would only be late as well
  const Candidate& first = plan.candidates.front();
  for (const NodeView& node : view.nodes) {
    if (node.id != first.node || node.ttft_late.is_zero()) continue;
    return std::max(node.ttft_late, first.forecast.ttft);
  }
  return {};
}

}  // namespace sluice::valve
