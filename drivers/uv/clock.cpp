#include "drivers/uv/clock.h"

#include <uv.h>

namespace sluice::drivers {

Instant UvClock::now() const {
  if (turn_read_ != loop_.turn()) {
    turn_read_ = loop_.turn();
    now_ = Instant::from_us(static_cast<int64_t>(uv_hrtime() / 1000));
  }
  return now_;
}

}  // namespace sluice::drivers
