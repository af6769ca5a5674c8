// Dialers whose connections leave in a given way: source address, mark, interface, DSCP are on the
// socket before it connects. Only addresses of the source's family are tried.
// Lifetime: dialers end before the loop, `clock` and `timers`.
#pragma once

#include "drivers/uv/loop.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"

namespace sluice::drivers {

class UvDialers final : public ports::Dialers {
 public:
  UvDialers(UvLoop& loop, const ports::Clock& clock, ports::Timers& timers)
      : loop_(loop), clock_(clock), timers_(timers) {}
  std::unique_ptr<ports::Dialer> by(const ports::OutboundWay& way) override;

 private:
  UvLoop& loop_;
  const ports::Clock& clock_;
  ports::Timers& timers_;
};

}  // namespace sluice::drivers
