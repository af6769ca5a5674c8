// Elapsed time from the system's monotonic clock, in microseconds. Read at most once in a turn,
// when first asked for; libuv's own time has only milliseconds.
#pragma once

#include "drivers/uv/loop.h"
#include "firmware/ports/clock.h"

namespace sluice::drivers {

class UvClock final : public ports::Clock {
 public:
  explicit UvClock(const UvLoop& loop) : loop_(loop) {}
  Instant now() const override;

 private:
  const UvLoop& loop_;
  mutable uint64_t turn_read_ = 0;
  mutable Instant now_;
};

}  // namespace sluice::drivers
