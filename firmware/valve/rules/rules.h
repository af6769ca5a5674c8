// What other gateways do, as pure functions over the same values as decide.h.
//
// Hard rules come first and are the same for all: what a request may use, what must stay home,
// health, capability, context, budget, contracts' limits, the closed valve, attempts, the deadline.
// Where they leave no node, decide() says whether it waits or is refused. A rule only orders what
// is left; the first is where the request goes, the others follow if it fails before the first
// byte. No rule holds a request back, and none keeps state: turns come from the request's number.
//
//   local_only         never the cloud
//   cloud_only         the cloud as long as there is one that may be used
//   round_robin        by turns among all nodes
//   least_outstanding  the fewest requests in flight (LiteLLM's least-busy, Kong's and Envoy's
//                      least-connections)
//   static_threshold   local while fewer than N are in flight there (Policy::rule_concurrency)
//   queue_kv           local while max(waiting / Q, KV / K) < 1, as the utilization detector of
//                      llm-d/llm-d-router (pkg/epp/framework/plugins/flowcontrol) does: Q = 5 and
//                      K = 0.8 (Policy::rule_queue, rule_kv); a reading out of its lease counts as
//                      saturated. With Q = 0 any waiting request saturates
//   cache_aware        lightseekorg/smg, model_gateway/src/policies, as in the router of
//                      sgl-project/sglang: the fewest in flight if they differ by more than 32 and
//                      by more than 1.1 times; else the node that was sent most of this prompt, if
//                      that is more than half of it; else the fewest in flight
//   prefix_hash        the same project's prefix_hash: each beginning of a prompt has its own order
//                      of nodes, and goes to the first that would not have more than 1.25 times its
//                      part of what is in flight (bounded loads: Mirrokni, Thorup and
//                      Zadimoghaddam, 2018). The beginning is about 256 tokens, the
//                      order is by rendezvous hashing; a prompt too short for it goes by its key
#pragma once

#include "firmware/valve/ask.h"
#include "firmware/valve/decide.h"
#include "firmware/valve/plan.h"
#include "firmware/valve/policy.h"
#include "firmware/valve/rule.h"
#include "firmware/valve/view.h"

namespace sluice::valve {

inline constexpr int kCacheBalanceAbs = 32;
inline constexpr double kCacheBalanceRel = 1.1;
inline constexpr double kCacheThreshold = 0.5;
inline constexpr double kPrefixLoadFactor = 1.25;

// By `policy.rule`; Rule::predict is decide().
Plan decide_by_rule(const Ask& ask, const View& view, const Policy& policy, Draw draw);

}  // namespace sluice::valve
