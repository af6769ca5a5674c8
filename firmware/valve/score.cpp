#include "firmware/valve/score.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::valve {

namespace {

// A prompt has at most so many times fewer tokens than the estimate says.
constexpr int64_t kEstimateSlack = 2;
// What a failed attempt takes besides the wait for another first token: to fail.
constexpr double kFailureSeconds = 1;
// A node that failed every time is expected to take so many tries as one that failed 9 of 10.
constexpr double kFailureShareMax = 0.9;
constexpr double kMoneyMax = 1e18;  // nano; five such sums still fit

constexpr bool is_in_order() {
  for (size_t i = 0; i < kWeights.size(); ++i) {
    if (static_cast<size_t>(kWeights[i].goal) != i) return false;
  }
  return true;
}
static_assert(is_in_order());

Money money(double nano) { return {static_cast<int64_t>(std::clamp(nano, -kMoneyMax, kMoneyMax))}; }

Money price_of(const NodeView& node, const Ask& ask, Tokens output) {
  const int64_t cached = std::clamp<int64_t>(node.cached.count, 0, ask.prompt_tokens.count);
  return {node.price_in_nano * (ask.prompt_tokens.count - cached) +
          node.price_cached_nano * cached + node.price_out_nano * output.count};
}

Money carbon_of(const NodeView& node, const Ask& ask, Tokens output, const Weights& weights,
                const Policy& policy) {
  const double kg = static_cast<double>(node.carbon_ug_per_token) *
                    static_cast<double>(ask.prompt_tokens.count + output.count) / 1e9;
  const int64_t per_kg =
      std::max(policy.carbon_price_nano_per_kg, weights.carbon_floor_nano_per_kg);
  return money(kg * static_cast<double>(per_kg));
}

// What is not known counts as nothing: who has not been tried is tried.
double answer_seconds(const Forecast& forecast, Tokens output) {
  const auto later = static_cast<double>(std::max<int64_t>(0, output.count - 1));
  return forecast.tpot.as_seconds() * later;
}

}  // namespace

bool costs_money(const NodeView& node) {
  return node.price_in_nano > 0 || node.price_out_nano > 0 || node.price_cached_nano > 0;
}

Tokens context_needed(const Ask& ask, const View& view) {
  for (const NodeView& node : view.nodes) {
    if (!ask.may_use.has(node.id) || !node.offers.covers(ask.needs)) continue;
    if (ask.stays_home && node.place == Place::cloud) continue;
    if (node.context_max.count == 0 || ask.context <= node.context_max) return ask.context;
  }
  return ask.context - Tokens{ask.prompt_tokens.count / kEstimateSlack};
}

Bar bar_of(const NodeView& node, const Ask& ask, Tokens context_needed) {
  if (!ask.may_use.has(node.id)) return Bar::not_permitted;
  // Whatever may_use says.
  if (ask.stays_home && node.place == Place::cloud) return Bar::not_permitted;
  if (!node.offers.covers(ask.needs)) return Bar::no_feature;
  const bool is_checked = ask.context.count > 0 && node.context_max.count > 0;
  if (is_checked && context_needed > node.context_max) return Bar::too_long;
  if (ask.over_budget && costs_money(node)) return Bar::over_budget;
  if (node.health == Health::down) return Bar::down;
  if (node.health == Health::probing && node.in_flight > 0) return Bar::down;
  // What runs at once in a cloud node is bounded by contract, not by speed: beyond it is no place.
  if (node.place == Place::cloud && node.slots > 0 && node.in_flight >= node.slots) {
    return Bar::full;
  }
  return Bar::none;
}

const Weights& weights_of(Goal goal) { return kWeights[static_cast<size_t>(goal)]; }

Tokens expected_output(const Ask& ask, const Policy& policy) {
  if (ask.output_tokens_max.count == 0) return policy.expected_output;
  return std::min(ask.output_tokens_max, policy.expected_output);
}

Score score(const NodeView& node, const Ask& ask, const Forecast& forecast, const Policy& policy) {
  const Weights& weights = weights_of(ask.goal);
  const Tokens output = expected_output(ask, policy);
  const auto second = static_cast<double>(policy.waiting_price_nano_per_s);
  const double start_s = forecast.ttft.as_seconds();
  const double per_answer_s = ask.stream ? weights.generation : weights.waiting;
  Score made;
  made.price = price_of(node, ask, output);
  made.carbon = carbon_of(node, ask, output, weights, policy);
  made.waiting =
      money(second * (weights.waiting * start_s + per_answer_s * answer_seconds(forecast, output)));
  const double failed = std::clamp(node.failure_share, 0.0, kFailureShareMax);
  const double retries = failed / (1 - failed);
  // A failure is a nuisance whatever a second is worth.
  const double lost_s = std::max(1.0, weights.waiting) * (start_s + kFailureSeconds);
  const auto once_more = static_cast<double>((made.price + made.carbon).nano);
  made.risk = money(retries * (once_more + second * lost_s));
  if (node.place == Place::cloud) made.leaving = money(second * weights.leaving_s);
  return made;
}

Rank rank_of(const NodeView& node, Money total, Money least, double part) {
  Rank rank;
  rank.spare = node.weight == 0;
  const double alike = static_cast<double>(least.nano) * (1 + kTieShare);
  rank.money = static_cast<double>(total.nano) <= alike ? 0 : total.nano;
  rank.strange = -node.matched.count;
  // Whose exponential clock of rate `weight` rings first: it is each node's turn in proportion.
  // A logarithm for each node would be a good part of a decision's time.
  if (rank.money == 0) rank.lot = -std::log(1 - part) / std::max(1, node.weight);
  return rank;
}

}  // namespace sluice::valve
