#include "tests/sim/report/named_policy.h"

#include <charconv>

namespace sluice::sim {

std::optional<valve::Policy> policy_named(std::string_view name) {
  valve::Policy policy;
  const size_t colon = name.find(':');
  const std::string_view rule = name.substr(0, colon);
  bool known = false;
  for (int i = 0; i <= static_cast<int>(valve::kRuleLast); ++i) {
    if (rule != valve::to_text(static_cast<valve::Rule>(i))) continue;
    policy.rule = static_cast<valve::Rule>(i);
    known = true;
  }
  if (!known) return std::nullopt;
  if (colon == std::string_view::npos) return policy;
  const std::string_view digits = name.substr(colon + 1);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (policy.rule == valve::Rule::static_threshold) {
    policy.rule_concurrency = number;
  } else if (policy.rule == valve::Rule::queue_kv) {
    policy.rule_queue = number;
  } else if (policy.rule == valve::Rule::predict) {
    policy.forecast_noise = number / 100.0;
  } else {
    return std::nullopt;
  }
  return policy;
}

}  // namespace sluice::sim
