// Where should this request go, and why? A pure function over values.
//
// Local first. The cloud takes a request only if local would miss the service level of this or of
// a running request. The valve opens above the line and closes only when the level has fallen a
// little below it (hysteresis). Among cloud nodes that keep the service level the cheapest wins
// (price and priced carbon); `draw` breaks ties. What may not leave, or has nowhere to go, waits.
// Order: the caller counts the first candidate as in flight at once, before the next decision.
#pragma once

#include <cstdint>

#include "firmware/valve/ask.h"
#include "firmware/valve/plan.h"
#include "firmware/valve/policy.h"
#include "firmware/valve/view.h"

namespace sluice::valve {

struct Draw {
  uint64_t value = 0;
  bool operator==(const Draw&) const = default;
};

Plan decide(const Ask& ask, const View& view, const Policy& policy, Draw draw);

}  // namespace sluice::valve
