// Paths in virtual time without datagrams: the detector and the choice against a modelled wire and
// a PoP that counts questions. Fast enough for days.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "firmware/tunnel/choice.h"
#include "firmware/tunnel/path_health.h"
#include "tests/sim/chance.h"

namespace sluice::tunnel {

struct Wire {
  Duration out = Duration::ms(20);
  Duration back = Duration::ms(20);
  Duration jitter = Duration::ms(2);  // each way, uniform from zero
  double loss_out = 0;                // of single packets
  double loss_back = 0;
  bool cut_out = false;
  bool cut_back = false;
  // Outages of equal length that take this share of the time, at random; both ways.
  double outage_share = 0;
  Duration outage = Duration::ms(300);
};

class PathSim {
 public:
  PathSim(int number, std::string uplink, int preference, const PathSettings& settings,
          uint64_t seed)
      : health(settings), chance_(seed, "path" + std::to_string(number)) {
    view_.name = {std::move(uplink), "pop", Transport::udp4};
    view_.number = number;
    view_.preference = preference;
    view_.mtu = 1420;
  }

  PathHealth health;
  Wire wire;
  uint64_t questions = 0;
  uint64_t suspicions = 0;
  uint64_t deaths = 0;

  Instant next() const {
    const Instant event = events_.empty() ? kNever : events_.top().at;
    return std::min(event, wake_);
  }
  // All that happens until `now`. True: state or rating changed.
  bool run(Instant now) {
    while (!events_.empty() && events_.top().at <= now) {
      const Event event = events_.top();
      events_.pop();
      if (event.answer) {
        health.answer(event.at, event.traffic, event.sequence, event.seen);
      } else {
        arrive(event);
      }
    }
    PathHealth::Next next = health.next(now);
    for (; next.ask || next.ask_bulk; next = health.next(now)) {
      if (next.ask) send(now, TrafficClass::interactive, health.ask(now));
      if (next.ask_bulk) send(now, TrafficClass::bulk, health.ask_bulk(now));
    }
    wake_ = next.wake.value_or(kNever);
    const PathState state = health.state();
    if (state != last_) {
      suspicions += state == PathState::suspect ? 1 : 0;
      deaths += state == PathState::dead ? 1 : 0;
      last_ = state;
    }
    return health.take_changed();
  }
  PathView view(Instant now) {
    health.fill(view_, now);
    return view_;
  }

  static constexpr Instant kNever = Instant::from_us(INT64_MAX);

 private:
  struct Event {
    Instant at;
    bool answer = false;
    TrafficClass traffic = TrafficClass::interactive;
    uint64_t sequence = 0;
    uint32_t seen = 0;
    bool operator<(const Event& other) const { return at > other.at; }  // the earliest on top
  };
  Duration delay(Duration least) {
    return least + Duration::us(chance_.between(0, wire.jitter.as_us()));
  }
  bool in_outage(Instant now) {
    if (wire.outage_share == 0) return false;
    while (now >= outage_ + wire.outage) {
      const double mean = wire.outage.as_seconds() * (1 / wire.outage_share - 1);
      outage_ =
          outage_ + wire.outage + Duration::from_seconds(-std::log(1 - chance_.part()) * mean);
    }
    return now >= outage_;
  }
  void send(Instant now, TrafficClass traffic, uint64_t sequence) {
    ++questions;
    if (wire.cut_out || in_outage(now) || chance_.happens(wire.loss_out)) return;
    events_.push({now + delay(wire.out), false, traffic, sequence, 0});
  }
  void arrive(const Event& event) {
    const uint32_t seen = ++seen_[static_cast<size_t>(event.traffic)];
    if (wire.cut_back || in_outage(event.at) || chance_.happens(wire.loss_back)) return;
    events_.push({event.at + delay(wire.back), true, event.traffic, event.sequence, seen});
  }

  sim::Chance chance_;
  PathView view_;
  std::priority_queue<Event> events_;
  Instant wake_ = kNever;
  Instant outage_ = Instant::from_us(1'000'000'000);
  std::array<uint32_t, kClasses> seen_{};
  PathState last_ = PathState::down;
};

// A site with some paths and the choice of the interactive class.
class SiteSim {
 public:
  struct Switch {
    Instant at;
    int from = kNoPath;
    int to = kNoPath;
    Reason reason = Reason::first;
  };
  PathSettings settings;
  std::vector<PathSim> paths;
  std::vector<Switch> switches;
  Choice choice;
  Instant now = Instant::from_us(1'000'000'000);

  explicit SiteSim(int count, uint64_t seed, const PathSettings& wanted = {}) : settings(wanted) {
    for (int i = 0; i < count; ++i) {
      paths.emplace_back(i, "wan" + std::to_string(i), i, settings,
                         seed * 16 + static_cast<uint64_t>(i));
    }
  }
  void bring_up() {
    for (PathSim& path : paths) path.health.bring_up(now);
    run_paths();
  }
  void pass(Duration time) { run_until(now + time); }
  void run_until(Instant end) {
    while (true) {
      Instant next = std::min(tick_, choice.again.value_or(PathSim::kNever));
      for (const PathSim& path : paths) next = std::min(next, path.next());
      if (next > end) break;
      now = std::max(now, next);
      run_paths();
    }
    now = end;
  }
  // Also after a change of a wire, or what the underlay tells.
  void run_paths() {
    bool changed = now >= tick_ || (choice.again && now >= *choice.again);
    for (PathSim& path : paths) changed |= path.run(now);
    if (changed) decide();
  }
  PathState state(int path) const { return paths[static_cast<size_t>(path)].health.state(); }
  int moves(Reason reason) const {
    return static_cast<int>(
        std::count_if(switches.begin(), switches.end(),
                      [reason](const Switch& s) { return s.reason == reason; }));
  }

 private:
  void decide() {
    tick_ = now + Duration::seconds(1);
    std::vector<PathView> views;
    for (PathSim& path : paths) views.push_back(path.view(now));
    ChoiceAsk ask;
    ask.standing = choice.standing;
    choice = choose(ask, views, now, settings);
    if (!choice.moved) return;
    switches.push_back({now, choice.from, choice.path, choice.reason});
    for (PathSim& path : paths) {
      path.health.set_carrying(now, &path - paths.data() == choice.path);
    }
  }
  Instant tick_ = now;
};

}  // namespace sluice::tunnel
