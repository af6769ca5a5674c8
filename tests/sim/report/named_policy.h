// The policies that a report compares, by name: the valve's own and the rules of other gateways.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "firmware/valve/policy.h"

namespace sluice::sim {

// "predict", a rule's name, "static-threshold:N" or "queue-kv:Q".
std::optional<valve::Policy> policy_named(std::string_view name);

}  // namespace sluice::sim
