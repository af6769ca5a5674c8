#include "tests/sim/leased_cloud.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/site.h"

namespace sluice::sim {

LeasedCloud::LeasedCloud(Site& site, const LeaseSpec& spec, ports::Files& files, Log& log)
    : site_(site),
      platform_chance_(site.spec().seed, "lease platform"),
      chance_(site.spec().seed, "leases"),
      platform_(site.clock, site.timers, platform_chance_),
      leases_({site.clock, site.calendar, site.timers, files, chance_, platform_, *this, log},
              "/leases") {
  platform_.faults = spec.faults;
  ports::LeaseOffer offer = spec.offer;
  offer.model = std::string(kModel);
  platform_.on_offer = {offer};
  const Result<void> started = leases_.start(spec.policy);
  ENSURE(started.has_value());
}

std::string LeasedCloud::leased_name(int index) { return fmt::format("leased-{}", index + 1); }

void LeasedCloud::note(int64_t prompt, int64_t output, int64_t price_in_nano,
                       int64_t price_out_nano) {
  leases_.note(std::string(kModel), {prompt}, {output}, price_in_nano, price_out_nano);
}

Duration LeasedCloud::leased_time() const { return platform_.billed_time(); }

void LeasedCloud::on_lease_serves(const capacity::LeasedNode& node) {
  const auto instance = std::find_if(
      platform_.billed.begin(), platform_.billed.end(),
      [&node](const auto& entry) { return SimLeasePlatform::url_of(entry.first) == node.url; });
  const bool answers = instance != platform_.billed.end() && instance->second.answers;
  answered_[node.name] = site_.clock.now();
  site_.lend(node.name, answers, node.slots);
}

void LeasedCloud::on_lease_leaves(const std::string& node) {
  answered_.erase(node);
  site_.take_back(node);
}

int LeasedCloud::in_flight(const std::string& node) const {
  const sense::NodeState* state = site_.senses().find(node);
  return state == nullptr ? 0 : state->in_flight();
}

void LeasedCloud::look() {
  const Instant now = site_.clock.now();
  for (auto& [name, answered] : answered_) {
    const sense::NodeState* state = site_.senses().find(name);
    const valve::Health health = state->view(now).health;
    if (health != valve::Health::down && health != valve::Health::unknown) answered = now;
  }
}

Duration LeasedCloud::silent(const std::string& node) const {
  const auto found = answered_.find(node);
  return found == answered_.end() ? Duration() : site_.clock.now() - found->second;
}

}  // namespace sluice::sim
