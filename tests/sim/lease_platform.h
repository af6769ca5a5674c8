// A platform that leases instances, in virtual time. It bills from open to closed, and can be slow,
// refuse, fail, forget what it was asked, be out of reach, or lie: say that an instance serves
// which does not, leave a lease out of its list, bill one that nobody asked for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "firmware/ports/clock.h"
#include "firmware/ports/leases.h"
#include "firmware/ports/random.h"
#include "firmware/ports/timers.h"

namespace sluice::sim {

struct LeasePlatformFaults {
  double refuse = 0;       // of starts
  double fail = 0;         // of starts: it never serves, and says so
  double slow = 0;         // of starts: ten times the cold start
  double mute = 0;         // of starts: billed, and never heard of again
  double deaf = 0;         // of all calls: lost on the way
  double false_front = 0;  // of starts: says it serves, and does not answer
};

class SimLeasePlatform : public ports::LeasePlatform {
 public:
  struct Instance {
    ports::LeaseOffer offer;
    Instant billed_from;
    Instant serves_from;
    bool serves = false;
    bool answers = true;  // false: a false front
    bool mute = false;
    bool fails = false;
  };

  SimLeasePlatform(const ports::Clock& clock, ports::Timers& timers, ports::Random& chance)
      : clock_(clock), chance_(chance), timer_(timers.make([this] { on_time(); })) {}

  LeasePlatformFaults faults;
  Duration round_trip = Duration::ms(200);
  std::vector<ports::LeaseOffer> on_offer;
  std::map<std::string, Instance> billed;  // by lease, now
  int starts = 0;                          // instances ever begun
  double paid_nano = 0;                    // for those that have ended

  void set_sink(ports::LeaseSink* sink) override { sink_ = sink; }
  std::vector<ports::LeaseOffer> offers() const override { return on_offer; }

  void open(const std::string& lease, const ports::LeaseOffer& offer) override {
    if (is_lost()) return;
    if (const auto known = billed.find(lease); known != billed.end()) {
      if (known->second.serves) say({Kind::serving, lease, url_of(lease), "key", ""});
      return;
    }
    if (happens(faults.refuse)) return say({Kind::refused, lease, "", "", "no instance is free"});
    Instance instance;
    instance.offer = offer;
    instance.billed_from = clock_.now();
    const int times = happens(faults.slow) ? 10 : 1;
    instance.serves_from = clock_.now() + offer.cold_start * times;
    instance.mute = happens(faults.mute);
    instance.fails = happens(faults.fail);
    instance.answers = !happens(faults.false_front);
    billed.emplace(lease, instance);
    ++starts;
    wake();
  }

  void close(const std::string& lease) override {
    if (is_lost()) return;
    const auto known = billed.find(lease);
    if (known == billed.end()) return say({Kind::unknown, lease, "", "", "no such lease"});
    paid_nano += cost_nano(known->second);
    ended_ = ended_ + (clock_.now() - known->second.billed_from);
    billed.erase(known);
    say({Kind::closed, lease, "", "", ""});
  }

  void list() override {
    if (is_lost()) return;
    ++lists_asked_;
    wake();
  }

  void set_reachable(bool reachable) {
    reachable_ = reachable;
    if (sink_ != nullptr) sink_->on_platform(reachable, reachable ? "" : "no route");
  }

  double cost_nano(const Instance& instance) const {
    const Duration held = std::max(clock_.now() - instance.billed_from, instance.offer.billed_min);
    return static_cast<double>(instance.offer.opening_fee.nano) +
           static_cast<double>(instance.offer.price_per_hour.nano) * held.as_seconds() / 3600;
  }
  double total_nano() const {
    double total = paid_nano;
    for (const auto& [lease, instance] : billed) total += cost_nano(instance);
    return total;
  }
  Duration billed_time() const {  // of all instances together, until now
    Duration total = ended_;
    for (const auto& [lease, instance] : billed) {
      total = total + (clock_.now() - instance.billed_from);
    }
    return total;
  }
  static std::string url_of(const std::string& lease) {
    std::string url = "http://";
    url.append(lease).append(".example");
    return url;
  }

 private:
  using Kind = ports::LeaseEvent::Kind;

  bool happens(double probability) {
    return static_cast<double>(chance_.next() >> 11) * 0x1p-53 < probability;
  }
  bool is_lost() { return !reachable_ || happens(faults.deaf); }

  void say(ports::LeaseEvent event) {
    due_.push_back({clock_.now() + round_trip, std::move(event)});
    wake();
  }

  void wake() {
    Instant next = clock_.now() + Duration::seconds(3600);
    if (lists_asked_ > 0) next = clock_.now() + round_trip;
    for (const Due& due : due_) next = std::min(next, due.at);
    for (const auto& [lease, instance] : billed) {
      if (!instance.serves && !instance.mute) next = std::min(next, instance.serves_from);
    }
    timer_->start(std::max(Duration(), next - clock_.now()));
  }

  void on_time() {
    const Instant now = clock_.now();
    for (auto& [lease, instance] : billed) {
      if (instance.serves || instance.mute || instance.serves_from > now) continue;
      if (instance.fails) {
        instance.mute = true;
        due_.push_back({now, {Kind::failed, lease, "", "", "out of memory"}});
        continue;
      }
      instance.serves = true;
      due_.push_back({now, {Kind::serving, lease, url_of(lease), "key", ""}});
    }
    std::vector<ports::LeaseEvent> events;
    for (const Due& due : due_) {
      if (due.at <= now) events.push_back(due.event);
    }
    std::erase_if(due_, [now](const Due& due) { return due.at <= now; });
    const bool lists = std::exchange(lists_asked_, 0) > 0;
    wake();
    for (const ports::LeaseEvent& event : events) {
      if (sink_ != nullptr && reachable_) sink_->on_lease_event(event);
    }
    if (!lists || sink_ == nullptr || !reachable_) return;
    std::vector<std::string> names;
    for (const auto& [lease, instance] : billed) names.push_back(lease);
    sink_->on_leases_held(names);
  }

  struct Due {
    Instant at;
    ports::LeaseEvent event;
  };
  const ports::Clock& clock_;
  ports::Random& chance_;
  std::unique_ptr<ports::Timer> timer_;
  ports::LeaseSink* sink_ = nullptr;
  bool reachable_ = true;
  int lists_asked_ = 0;
  Duration ended_;  // what instances that have ended were billed for
  std::vector<Due> due_;
};

}  // namespace sluice::sim
