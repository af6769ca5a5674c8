#include "tests/sim/mishaps.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::sim {

std::string to_text(const Mishap& mishap) {
  constexpr const char* kNames[Mishap::kKinds] = {"down", "restart", "link_out", "loss",   "slow",
                                                  "lies", "mute",    "busy",     "broken", "flaky"};
  return fmt::format("{} of node {} at {:.1f} s for {:.1f} s ({:.2f})",
                     kNames[static_cast<int>(mishap.kind)], mishap.node, mishap.at.as_seconds(),
                     mishap.length.as_seconds(), mishap.amount);
}

Mishaps::Mishaps(Site& site, std::vector<Mishap> mishaps)
    : site_(site), mishaps_(std::move(mishaps)), on_(mishaps_.size()) {
  for (size_t i = 0; i < mishaps_.size(); ++i) {
    timers_.push_back(site_.timers.make([this, i] { change(i, true); }));
    timers_.push_back(site_.timers.make([this, i] { change(i, false); }));
  }
}

void Mishaps::start() {
  for (size_t i = 0; i < mishaps_.size(); ++i) {
    timers_[2 * i]->start(mishaps_[i].at);
    timers_[2 * i + 1]->start(mishaps_[i].at + mishaps_[i].length);
  }
}

void Mishaps::change(size_t index, bool begins) {
  const Mishap& mishap = mishaps_[index];
  on_[index] = begins;
  apply(mishap.node);
  const bool loses = mishap.kind == Mishap::Kind::down || mishap.kind == Mishap::Kind::restart;
  if (begins && loses) site_.node(mishap.node).restart_engine();
}

// Several may hold at once.
void Mishaps::apply(size_t node) {
  NodeFaults faults;
  LinkSpec link = site_.spec().nodes[node].link;
  double slowdown = 1;
  for (size_t i = 0; i < mishaps_.size(); ++i) {
    const Mishap& mishap = mishaps_[i];
    if (!on_[i] || mishap.node != node) continue;
    switch (mishap.kind) {
      case Mishap::Kind::down:
        faults.off = true;
        break;
      case Mishap::Kind::restart:
        break;
      case Mishap::Kind::link_out:
        faults.link_out = true;
        break;
      case Mishap::Kind::loss:
        link.loss = std::max(link.loss, mishap.amount);
        break;
      case Mishap::Kind::slow:
        slowdown *= mishap.amount;
        break;
      case Mishap::Kind::lies:
        faults.metrics_lie = true;
        break;
      case Mishap::Kind::mute:
        faults.metrics_broken = true;
        break;
      case Mishap::Kind::busy:
        faults.status = 429;
        break;
      case Mishap::Kind::broken:
        faults.status = 500;
        break;
      case Mishap::Kind::flaky:
        faults.status_share = mishap.amount;
        break;
    }
  }
  SimNode& affected = site_.node(node);
  affected.set_link(link);
  affected.set_faults(faults);
  if (auto* engine = dynamic_cast<EngineService*>(&affected.service())) {
    engine->set_slowdown(slowdown);
  }
}

}  // namespace sluice::sim
