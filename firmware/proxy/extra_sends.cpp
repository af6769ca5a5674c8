#include "firmware/proxy/extra_sends.h"

#include <algorithm>
#include <cmath>

namespace sluice::proxy {

ExtraSends::Budget& ExtraSends::budget(valve::NodeSet nodes, Instant now) {
  const bool known = budgets_.contains(nodes.bits());
  Budget& budget = budgets_[known || budgets_.size() < kSetsMax ? nodes.bits() : 0];
  if (!budget.begun) {
    budget.floor = kMemory.as_seconds();
  } else {
    const Duration passed = std::max(Duration(), now - budget.at);
    const double left = std::exp2(-(passed / kMemory));
    budget.retries *= left;
    budget.hedges *= left;
    budget.floor = std::min(kMemory.as_seconds(), budget.floor + passed.as_seconds());
  }
  budget.begun = true;
  budget.at = now;
  return budget;
}

void ExtraSends::on_request(valve::NodeSet nodes, Instant now) {
  Budget& paid = budget(nodes, now);
  paid.retries += shares_.retries;
  paid.hedges += shares_.hedges;
}

bool ExtraSends::take_retry(valve::NodeSet nodes, Instant now) {
  Budget& left = budget(nodes, now);
  if (left.floor * shares_.retry_floor_per_s >= 1) {
    left.floor -= 1 / shares_.retry_floor_per_s;
  } else if (left.retries >= 1) {
    left.retries -= 1;
  } else {
    ++report_.retries_denied;
    return false;
  }
  ++report_.retries;
  return true;
}

bool ExtraSends::take_hedge(valve::NodeSet nodes, Instant now) {
  Budget& left = budget(nodes, now);
  if (left.hedges < 1) {
    ++report_.hedges_denied;
    return false;
  }
  left.hedges -= 1;
  ++report_.hedges;
  return true;
}

}  // namespace sluice::proxy
