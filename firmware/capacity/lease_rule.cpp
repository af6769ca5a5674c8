#include "firmware/capacity/lease_rule.h"

#include <algorithm>
#include <cmath>

#include "firmware/base/check.h"

namespace sluice::capacity {

namespace {

constexpr double kHourSeconds = 3600;

bool is_layer(int layer) { return layer >= 0 && layer < kLeasesMax; }

}  // namespace

double rent_nano_per_s(const ports::LeaseOffer& offer) {
  return static_cast<double>(offer.price_per_hour.nano) / kHourSeconds;
}

double start_cost_nano(const ports::LeaseOffer& offer, const LeasePolicy& policy) {
  const Duration committed =
      std::max({offer.cold_start, offer.billed_min, policy.commitment_min, Duration()});
  return static_cast<double>(offer.opening_fee.nano) +
         rent_nano_per_s(offer) * committed.as_seconds();
}

double instances_needed(const CloudDemand& demand, const ports::LeaseOffer& offer) {
  double busy = 0;
  if (offer.prompt_tps > 0) busy += demand.prompt_tps / offer.prompt_tps;
  if (offer.output_tps > 0) busy += demand.output_tps / offer.output_tps;
  return busy;
}

double layer_nano_per_s(const CloudDemand& demand, const ports::LeaseOffer& offer, int layer) {
  const double needed = instances_needed(demand, offer);
  if (!(needed > 0)) return 0;
  return demand.per_token_nano * std::clamp(needed - layer, 0.0, 1.0) / needed;
}

double caution(int starts_today, const LeasePolicy& policy) {
  const int beyond = starts_today - policy.starts_per_day_max / 2;
  return beyond <= 0 ? 1.0 : std::ldexp(1.0, std::min(beyond, 16));
}

void LeaseRule::advance(const CloudDemand& demand, const ports::LeaseOffer& offer, int held,
                        Duration dt, const LeasePolicy& policy) {
  const double rent = rent_nano_per_s(offer);
  // More than the highest threshold is not remembered: it would outlast the demand that made it.
  const double most = start_cost_nano(offer, policy) * caution(policy.starts_per_day_max, policy);
  for (int layer = 0; layer < kLeasesMax; ++layer) {
    const double excess = layer_nano_per_s(demand, offer, layer) - rent;
    double& regret = regret_[static_cast<size_t>(layer)];
    regret += (layer < held ? -excess : excess) * dt.as_seconds();
    regret = std::clamp(regret, 0.0, most);
  }
}

bool LeaseRule::wants_more(const ports::LeaseOffer& offer, int held, int starts_today,
                           const LeasePolicy& policy) const {
  if (!is_layer(held) || starts_today >= policy.starts_per_day_max) return false;
  const double wanted = start_cost_nano(offer, policy) * caution(starts_today, policy);
  const double regret = regret_[static_cast<size_t>(held)];
  return regret > 0 && regret >= wanted;
}

bool LeaseRule::wants_less(const ports::LeaseOffer& offer, int held,
                           const LeasePolicy& policy) const {
  if (held < 1 || !is_layer(held - 1)) return false;
  const double regret = regret_[static_cast<size_t>(held - 1)];
  return regret > 0 && regret >= start_cost_nano(offer, policy);
}

bool LeaseRule::still_wants(int held) const {
  return is_layer(held) && regret_[static_cast<size_t>(held)] > 0;
}

void LeaseRule::opened(int held_before) {
  ENSURE(is_layer(held_before));
  regret_[static_cast<size_t>(held_before)] = 0;
}

void LeaseRule::released(int held_before) {
  ENSURE(is_layer(held_before - 1));
  regret_[static_cast<size_t>(held_before - 1)] = 0;
}

void LeaseRule::forget_wish(int held) {
  if (is_layer(held)) regret_[static_cast<size_t>(held)] = 0;
}

}  // namespace sluice::capacity
