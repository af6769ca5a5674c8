// Virtual time: a clock that only its own heap of timers moves. Timers that are due at one moment
// fire in the order in which they were started, so a run repeats exactly.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "firmware/base/check.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/timers.h"

namespace sluice::script {

class SimClock : public ports::Clock {
 public:
  Instant now() const override { return now_; }
  void set(Instant now) {
    ENSURE(now >= now_);
    now_ = now;
  }

 private:
  Instant now_ = Instant::from_us(1'000'000'000);
};

class SimCalendar : public ports::Calendar {
 public:
  explicit SimCalendar(const SimClock& clock) : clock_(clock) {}
  Date now() const override { return Date::from_us(1'790'000'000'000'000 + clock_.now().as_us()); }

 private:
  const SimClock& clock_;
};

class SimTimers : public ports::Timers {
 public:
  static constexpr int kTurnsMax = 100'000;  // more at one moment: something goes in circles

  explicit SimTimers(SimClock& clock) : clock_(clock) {}
  std::unique_ptr<ports::Timer> make(Callback on_fire) override {
    return std::make_unique<Waiting>(*this, std::move(on_fire));
  }

  void after_each_turn(Callback check) { check_ = std::move(check); }

  // One timer that is due now. False: none is.
  bool turn() {
    if (heap_.empty() || heap_.begin()->first.first > clock_.now()) return false;
    Waiting* next = heap_.begin()->second;
    heap_.erase(heap_.begin());
    next->running_ = false;
    const Callback fire = next->on_fire_;  // a copy: firing may destroy the timer
    fire();
    if (check_) check_();
    return true;
  }

  // All that is due now, and what that starts with a zero wait.
  void settle() {
    for (int turns = 0; turn(); ++turns) ENSURE(turns < kTurnsMax);
  }

  void pass(Duration time) {
    const Instant end = clock_.now() + time;
    settle();
    while (!heap_.empty() && heap_.begin()->first.first <= end) {
      clock_.set(heap_.begin()->first.first);
      settle();
    }
    clock_.set(end);
  }

 private:
  using Key = std::pair<Instant, uint64_t>;

  struct Waiting : ports::Timer {
    Waiting(SimTimers& timers, Callback on_fire) : timers_(timers), on_fire_(std::move(on_fire)) {}
    ~Waiting() override { stop(); }
    void start(Duration after) override {
      ENSURE(after >= Duration());
      stop();
      key_ = {timers_.clock_.now() + after, timers_.sequence_++};
      timers_.heap_.emplace(key_, this);
      running_ = true;
    }
    void stop() override {
      if (running_) timers_.heap_.erase(key_);
      running_ = false;
    }
    bool is_running() const override { return running_; }

    SimTimers& timers_;
    Callback on_fire_;
    Key key_;
    bool running_ = false;
  };

  SimClock& clock_;
  uint64_t sequence_ = 0;
  std::map<Key, Waiting*> heap_;
  Callback check_;
};

}  // namespace sluice::script
