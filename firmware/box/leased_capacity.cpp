#include "firmware/box/leased_capacity.h"

namespace sluice::box {

LeasedCapacity::LeasedCapacity(LeasedCapacityPorts ports, std::string book_path)
    : ports_(ports),
      leases_({ports.clock, ports.calendar, ports.timers, ports.files, ports.random, ports.platform,
               *this, ports.log},
              std::move(book_path)),
      feed_(ports.timers.make([this] { on_feed(); })) {}

LeasedCapacity::~LeasedCapacity() = default;

Result<void> LeasedCapacity::start(const capacity::LeasePolicy& policy) {
  // What was counted before is no demand of now.
  for (const auto& [name, totals] : ports_.meter.totals()) {
    seen_[name] = {totals.in_tokens, totals.out_tokens};
  }
  feed_->start(kFeedGap);
  return leases_.start(policy);
}

void LeasedCapacity::on_feed() {
  look();
  for (const auto& [name, totals] : ports_.meter.totals()) {
    if (name.place != valve::Place::cloud) continue;
    auto& [in, out] = seen_[name];
    const Tokens fresh_in{totals.in_tokens - in};
    const Tokens fresh_out{totals.out_tokens - out};
    in = totals.in_tokens;
    out = totals.out_tokens;
    if (fresh_in.count <= 0 && fresh_out.count <= 0) continue;
    const std::optional<Price> price = cheapest_per_token(name.model);
    if (price) leases_.note(name.model, fresh_in, fresh_out, price->in_nano, price->out_nano);
  }
  feed_->start(kFeedGap);
}

// Nothing: no cloud node that is paid per token serves it.
std::optional<LeasedCapacity::Price> LeasedCapacity::cheapest_per_token(
    const std::string& model) const {
  const valve::NodeSet serving = ports_.senses.serving(model);
  std::optional<Price> best;
  for (int i = 0; i < valve::kNodesMax; ++i) {
    const valve::NodeId id{static_cast<uint8_t>(i)};
    if (!serving.has(id)) continue;
    const sense::NodeProfile& profile = ports_.senses.node(id).profile();
    const bool per_token = profile.price_in_nano > 0 || profile.price_out_nano > 0;
    if (profile.place != valve::Place::cloud || !per_token) continue;
    if (best && best->out_nano <= profile.price_out_nano) continue;
    best = Price{profile.price_in_nano, profile.price_out_nano};
  }
  return best;
}

void LeasedCapacity::look() {
  const Instant now = ports_.clock.now();
  for (auto& [name, answered] : answered_) {
    const sense::NodeState* node = ports_.senses.find(name);
    if (node == nullptr) continue;
    const valve::Health health = node->view(now).health;
    if (health != valve::Health::down && health != valve::Health::unknown) answered = now;
  }
}

void LeasedCapacity::on_lease_serves(const capacity::LeasedNode& node) {
  answered_[node.name] = ports_.clock.now();
  ports_.lender.lend(node);
}

void LeasedCapacity::on_lease_leaves(const std::string& node) {
  answered_.erase(node);
  ports_.lender.take_back(node);
}

int LeasedCapacity::in_flight(const std::string& name) const {
  const sense::NodeState* node = ports_.senses.find(name);
  return node == nullptr ? 0 : node->in_flight();
}

Duration LeasedCapacity::silent(const std::string& node) const {
  const auto found = answered_.find(node);
  return found == answered_.end() ? Duration() : ports_.clock.now() - found->second;
}

}  // namespace sluice::box
