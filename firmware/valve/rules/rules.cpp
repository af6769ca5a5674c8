#include "firmware/valve/rules/rules.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "firmware/valve/candidate.h"
#include "firmware/valve/forecast.h"
#include "firmware/valve/score.h"
#include "firmware/valve/splitmix.h"

namespace sluice::valve {

namespace {

using Nodes = std::vector<const NodeView*>;

bool is_local(const NodeView* node) { return node->place == Place::local; }

int present(const NodeView& node, Instant now) {
  return node.in_flight + (now <= node.leased_until ? node.others : 0);
}

Nodes usable(const Ask& ask, const View& view, bool cloud_open) {
  Nodes nodes;
  const Tokens needed = context_needed(ask, view);
  for (const NodeView& node : view.nodes) {
    if (!cloud_open && !is_local(&node)) continue;
    if (bar_of(node, ask, needed) == Bar::none) nodes.push_back(&node);
  }
  return nodes;
}

uint64_t mixed(uint64_t z) { return splitmix(z + kGoldenGamma); }

uint64_t lot(const NodeView& node, uint64_t of) { return mixed(of ^ mixed(node.id.index)); }

// The least `rank` first; equal ones by the draw.
template <class Rank>
void order_by(Nodes& nodes, Draw draw, Rank rank) {
  std::sort(nodes.begin(), nodes.end(), [&](const NodeView* a, const NodeView* b) {
    const auto ra = rank(*a);
    const auto rb = rank(*b);
    return ra != rb ? ra < rb : lot(*a, draw.value) < lot(*b, draw.value);
  });
}

void fewest_first(Nodes& nodes, Draw draw) {
  order_by(nodes, draw, [](const NodeView& node) { return node.in_flight; });
}

void put_first(Nodes& nodes, Nodes::iterator chosen) {
  std::rotate(nodes.begin(), chosen, chosen + 1);
}

// Local ones that have room, then the cloud, then the other local ones; each the idlest first.
template <class HasRoom>
void local_with_room_first(Nodes& nodes, Draw draw, HasRoom has_room) {
  const auto rank = [&](const NodeView& node) {
    const int group = !is_local(&node) ? 1 : has_room(node) ? 0 : 2;
    return std::pair(group, node.in_flight);
  };
  order_by(nodes, draw, rank);
}

double saturation(const NodeView& node, const View& view, const Policy& policy) {
  if (view.now > node.leased_until) return std::numeric_limits<double>::infinity();
  if (policy.rule_queue == 0 && node.waiting > 0) return std::numeric_limits<double>::infinity();
  const double queue =
      policy.rule_queue == 0 ? 0 : static_cast<double>(node.waiting) / policy.rule_queue;
  return std::max(queue, node.kv_usage / policy.rule_kv);
}

void by_cache(Nodes& nodes, const Ask& ask, Draw draw) {
  fewest_first(nodes, draw);
  const int least = nodes.front()->in_flight;
  const int most = nodes.back()->in_flight;
  if (most - least > kCacheBalanceAbs && most > kCacheBalanceRel * least) return;
  const auto best = std::max_element(
      nodes.begin(), nodes.end(),
      [](const NodeView* a, const NodeView* b) { return a->matched < b->matched; });
  const double matched = static_cast<double>((*best)->matched.count);
  if (matched > kCacheThreshold * static_cast<double>(ask.prompt_tokens.count)) {
    put_first(nodes, best);
  }
}

uint64_t beginning_of(const Ask& ask) {
  uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a, 64 bits
  for (const char c : ask.key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return ask.beginning != 0 ? ask.beginning : hash;
}

void by_prefix(Nodes& nodes, const Ask& ask) {
  const uint64_t beginning = beginning_of(ask);
  std::sort(nodes.begin(), nodes.end(), [beginning](const NodeView* a, const NodeView* b) {
    const uint64_t la = lot(*a, beginning);
    const uint64_t lb = lot(*b, beginning);
    return la != lb ? la > lb : a->id < b->id;
  });
  int all = 1;
  for (const NodeView* node : nodes) all += node->in_flight;
  const double part = static_cast<double>(all) / static_cast<double>(nodes.size());
  const int most = static_cast<int>(std::ceil(kPrefixLoadFactor * part));
  const auto bearable = std::find_if(nodes.begin(), nodes.end(),
                                     [most](const NodeView* n) { return n->in_flight < most; });
  if (bearable != nodes.end()) put_first(nodes, bearable);
}

void order(Nodes& nodes, const Ask& ask, const View& view, const Policy& policy, Draw draw) {
  switch (policy.rule) {
    case Rule::predict:
    case Rule::local_only:
    case Rule::least_outstanding:
      return fewest_first(nodes, draw);
    case Rule::cloud_only:
      return order_by(nodes, draw,
                      [](const NodeView& n) { return std::pair(is_local(&n), n.in_flight); });
    case Rule::round_robin: {
      const auto turn = static_cast<int64_t>(ask.id % nodes.size());
      std::rotate(nodes.begin(), nodes.begin() + turn, nodes.end());
      return;
    }
    case Rule::static_threshold:
      return local_with_room_first(nodes, draw, [&](const NodeView& n) {
        return present(n, view.now) < policy.rule_concurrency;
      });
    case Rule::queue_kv:
      return local_with_room_first(
          nodes, draw, [&](const NodeView& n) { return saturation(n, view, policy) < 1; });
    case Rule::cache_aware:
      return by_cache(nodes, ask, draw);
    case Rule::prefix_hash:
      return by_prefix(nodes, ask);
  }
}

Candidate candidate_for(const NodeView& node, const Ask& ask, const View& view,
                        const Policy& policy) {
  const Forecast here = forecast(node, ask, policy, view.now);
  return candidate_of(node, here, score(node, ask, here, policy),
                      first_byte_max(ask, ask.level.tpot_max, view.now, policy));
}

}  // namespace

const char* to_text(Rule rule) {
  switch (rule) {
    case Rule::predict:
      return "predict";
    case Rule::local_only:
      return "local-only";
    case Rule::cloud_only:
      return "cloud-only";
    case Rule::round_robin:
      return "round-robin";
    case Rule::least_outstanding:
      return "least-outstanding";
    case Rule::static_threshold:
      return "static-threshold";
    case Rule::queue_kv:
      return "queue-kv";
    case Rule::cache_aware:
      return "cache-aware";
    case Rule::prefix_hash:
      return "prefix-hash";
  }
  return "";
}

Plan decide_by_rule(const Ask& ask, const View& view, const Policy& policy, Draw draw) {
  if (policy.rule == Rule::predict) return decide(ask, view, policy, draw);
  const bool cloud_open = policy.overflow && policy.rule != Rule::local_only;
  Nodes nodes = usable(ask, view, cloud_open);
  if (nodes.empty() || view.now >= ask.deadline) {
    Policy closed = policy;
    closed.overflow = cloud_open;
    return decide(ask, view, closed, draw);
  }
  order(nodes, ask, view, policy, draw);
  Plan plan;
  plan.verdict = Verdict::send;
  plan.reason = Reason::by_rule;
  const auto attempts = static_cast<size_t>(std::max(1, policy.attempts_max));
  nodes.resize(std::min(nodes.size(), attempts));
  for (const NodeView* node : nodes) {
    plan.candidates.push_back(candidate_for(*node, ask, view, policy));
  }
  plan.overflowing = plan.candidates.front().place == Place::cloud;
  return plan;
}

}  // namespace sluice::valve
