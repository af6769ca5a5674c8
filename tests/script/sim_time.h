// Virtual time: a clock that only its own heap of timers moves. Timers that are due at one moment
// fire in the order in which they were started, so a run repeats exactly.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "firmware/base/check.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/timers.h"

namespace sluice::script {

class SimClock final : public ports::Clock {
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

  // When the next timer is due.
  std::optional<Instant> next() const {
    return heap_.empty() ? std::nullopt : std::optional<Instant>(heap_.front().due);
  }

  // One timer that is due now. False: none is.
  bool turn() {
    if (heap_.empty() || heap_.front().due > clock_.now()) return false;
    Waiting* first = heap_.front().timer;
    take(first);
    const Callback fire = first->on_fire_;  // a copy: firing may destroy the timer
    fire();
    if (check_) check_();
    return true;
  }

  // All that is due now, and what that starts with a zero wait.
  void settle() {
    for (int turns = 0; turn(); ++turns) ENSURE(turns < kTurnsMax);
  }

  // To the moment at which the next timer is due, and all that is due then. False: none waits.
  bool leap() {
    if (heap_.empty()) return false;
    if (heap_.front().due > clock_.now()) clock_.set(heap_.front().due);
    settle();
    return true;
  }

  void pass(Duration time) {
    const Instant end = clock_.now() + time;
    settle();
    while (!heap_.empty() && heap_.front().due <= end) leap();
    clock_.set(end);
  }

 private:
  static constexpr size_t kNowhere = SIZE_MAX;

  struct Waiting final : ports::Timer {
    Waiting(SimTimers& timers, Callback on_fire) : timers_(timers), on_fire_(std::move(on_fire)) {}
    ~Waiting() override { stop(); }
    void start(Duration after) override {
      ENSURE(after >= Duration());
      const Entry entry{timers_.clock_.now() + after, timers_.sequence_++, this};
      if (place_ == kNowhere) {
        place_ = timers_.heap_.size();
        timers_.heap_.push_back(entry);
      }
      timers_.settle_in(place_, entry);
    }
    void stop() override {
      if (place_ != kNowhere) timers_.take(this);
    }
    bool is_running() const override { return place_ != kNowhere; }

    SimTimers& timers_;
    Callback on_fire_;
    size_t place_ = kNowhere;  // in the heap
  };

  struct Entry {
    Instant due;
    uint64_t sequence;
    Waiting* timer;
    bool before(const Entry& other) const {
      return due != other.due ? due < other.due : sequence < other.sequence;
    }
  };

  // A binary heap whose timers know their places. Puts `entry` at `place`, or where it belongs
  // above or below it.
  void settle_in(size_t place, Entry entry) {
    while (place > 0 && entry.before(heap_[(place - 1) / 2])) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    for (size_t child = 2 * place + 1; child < heap_.size(); child = 2 * place + 1) {
      if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) ++child;
      if (!heap_[child].before(entry)) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, entry);
  }
  void put(size_t place, const Entry& entry) {
    heap_[place] = entry;
    entry.timer->place_ = place;
  }
  void take(Waiting* timer) {
    const size_t place = std::exchange(timer->place_, kNowhere);
    const Entry last = heap_.back();
    heap_.pop_back();
    if (last.timer != timer) settle_in(place, last);
  }

  SimClock& clock_;
  uint64_t sequence_ = 0;
  std::vector<Entry> heap_;
  Callback check_;
};

}  // namespace sluice::script
