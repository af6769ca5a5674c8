// By which rule the box decides. `predict` is its own; the others are those of other gateways, for
// comparison on the same requests and for sites that want them (firmware/valve/rules).
#pragma once

namespace sluice::valve {

enum class Rule {
  predict,
  local_only,
  cloud_only,
  round_robin,
  least_outstanding,
  static_threshold,
  queue_kv,
  cache_aware,
  prefix_hash,
};
inline constexpr Rule kRuleLast = Rule::prefix_hash;

const char* to_text(Rule rule);

}  // namespace sluice::valve
