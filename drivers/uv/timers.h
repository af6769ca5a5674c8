// Timers in one heap of our own, ordered by (time, order of start), above a single libuv timer that
// only wakes the poll. So a Timer costs no handle and no close callback, starts and stops without a
// system call, has microseconds, and never fires early against the Clock.
//
// Due timers fire after the socket phase of a turn. One that is started with zero delay in the
// socket phase fires in that same libuv iteration, without another poll; one that is started by a
// firing timer waits for the next, so that sockets are never starved.
// Lifetime: all timers are destroyed before UvTimers.
#pragma once

#include <vector>

#include "drivers/uv/loop.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/timers.h"

struct uv_timer_s;
typedef struct uv_timer_s uv_timer_t;

namespace sluice::drivers {

class UvTimer;

class UvTimers final : public ports::Timers, private TurnSink {
 public:
  UvTimers(UvLoop& loop, const ports::Clock& clock);
  ~UvTimers() override;
  UvTimers(const UvTimers&) = delete;
  UvTimers& operator=(const UvTimers&) = delete;

  std::unique_ptr<ports::Timer> make(Callback on_fire) override;

 private:
  friend class UvTimer;
  struct Wait {
    int64_t at_us;
    uint64_t order;
    UvTimer* timer;
    bool before(const Wait& other) const {
      return at_us != other.at_us ? at_us < other.at_us : order < other.order;
    }
  };

  void add(UvTimer& timer, Duration after);
  void remove(UvTimer& timer);
  void place(size_t index, const Wait& wait);
  void sift_up(size_t index, const Wait& wait);
  void sift_down(size_t index, const Wait& wait);
  void fire(UvTimer& timer);
  void on_before_poll() override;
  void on_after_poll() override;

  // Fixed after construction.
  UvLoop& loop_;
  const ports::Clock& clock_;
  uv_timer_t* const wake_;
  // Changes.
  std::vector<Wait> heap_;
  uint64_t next_order_ = 0;
  int64_t wake_at_ms_;         // what wake_ is set to; kNoWake if it is not running
  UvTimer* firing_ = nullptr;  // cleared when it is destroyed inside its callback
  size_t timers_alive_ = 0;
};

}  // namespace sluice::drivers
