#include "drivers/uv/timers.h"

#include <uv.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr int64_t kNoWake = std::numeric_limits<int64_t>::max();
constexpr Duration kWaitMax = Duration::seconds(int64_t{10} * 365 * 86400);
constexpr size_t kNotRunning = std::numeric_limits<size_t>::max();

}  // namespace

class UvTimer final : public ports::Timer {
 public:
  UvTimer(UvTimers& timers, Callback on_fire) : timers_(timers), on_fire_(std::move(on_fire)) {
    ++timers_.timers_alive_;
  }
  ~UvTimer() override {
    stop();
    if (timers_.firing_ == this) timers_.firing_ = nullptr;
    --timers_.timers_alive_;
  }
  UvTimer(const UvTimer&) = delete;
  UvTimer& operator=(const UvTimer&) = delete;

  void start(Duration after) override {
    stop();
    timers_.add(*this, after);
  }
  void stop() override {
    if (is_running()) timers_.remove(*this);
  }
  bool is_running() const override { return index_ != kNotRunning; }

 private:
  friend class UvTimers;
  UvTimers& timers_;
  Callback on_fire_;
  size_t index_ = kNotRunning;  // in the heap
};

UvTimers::UvTimers(UvLoop& loop, const ports::Clock& clock)
    : loop_(loop), clock_(clock), wake_(new uv_timer_t), wake_at_ms_(kNoWake) {
  ENSURE(uv_timer_init(loop_.raw(), wake_) == 0);
  wake_->data = this;
  loop_.watch_turns(this);
}

UvTimers::~UvTimers() {
  ENSURE(timers_alive_ == 0);
  loop_.watch_turns(nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(wake_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
}

std::unique_ptr<ports::Timer> UvTimers::make(Callback on_fire) {
  return std::make_unique<UvTimer>(*this, std::move(on_fire));
}

void UvTimers::add(UvTimer& timer, Duration after) {
  const int64_t at_us = (clock_.now() + std::clamp(after, Duration(), kWaitMax)).as_us();
  heap_.emplace_back();
  sift_up(heap_.size() - 1, {at_us, next_order_++, &timer});
}

void UvTimers::remove(UvTimer& timer) {
  const size_t hole = timer.index_;
  timer.index_ = kNotRunning;
  const Wait last = heap_.back();
  heap_.pop_back();
  if (hole == heap_.size()) return;
  if (hole > 0 && last.before(heap_[(hole - 1) / 2])) {
    sift_up(hole, last);
  } else {
    sift_down(hole, last);
  }
}

void UvTimers::place(size_t index, const Wait& wait) {
  heap_[index] = wait;
  wait.timer->index_ = index;
}

void UvTimers::sift_up(size_t index, const Wait& wait) {
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (!wait.before(heap_[parent])) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, wait);
}

void UvTimers::sift_down(size_t index, const Wait& wait) {
  while (true) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) ++child;
    if (!heap_[child].before(wait)) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, wait);
}

// The callback is moved out for the call, because the call may destroy the timer that holds it.
void UvTimers::fire(UvTimer& timer) {
  remove(timer);
  firing_ = &timer;
  Callback on_fire = std::move(timer.on_fire_);
  on_fire();
  if (firing_ != nullptr) firing_->on_fire_ = std::move(on_fire);
  firing_ = nullptr;
}

void UvTimers::on_after_poll() {
  if (heap_.empty()) return;
  const int64_t now_us = clock_.now().as_us();
  const uint64_t started_now = next_order_;
  while (!heap_.empty() && heap_.front().at_us <= now_us && heap_.front().order < started_now) {
    fire(*heap_.front().timer);
  }
}

// libuv's milliseconds may lag behind our clock (it may read the coarse clock), so what is due is
// woken with zero, and the rest at the next whole millisecond at or after it. A wake-up that is too
// early, left by a timer since stopped, costs one idle turn and is cheaper than setting it anew.
void UvTimers::on_before_poll() {
  if (heap_.empty()) return;
  const int64_t at_us = heap_.front().at_us;
  const bool due = at_us <= clock_.now().as_us();
  const int64_t at_ms = due ? std::numeric_limits<int64_t>::min() : (at_us + 999) / 1000;
  if (at_ms >= wake_at_ms_) return;
  wake_at_ms_ = at_ms;
  const int64_t now_ms = static_cast<int64_t>(uv_now(loop_.raw()));
  const uint64_t wait_ms = at_ms <= now_ms ? 0 : static_cast<uint64_t>(at_ms - now_ms);
  const auto on_wake = [](uv_timer_t* handle) {
    static_cast<UvTimers*>(handle->data)->wake_at_ms_ = kNoWake;
  };
  ENSURE(uv_timer_start(wake_, on_wake, wait_ms, 0) == 0);
}

}  // namespace sluice::drivers
