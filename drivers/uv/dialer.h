// Making connections. A name is resolved on a worker thread (getaddrinfo); its addresses are tried
// in order, each with an equal share of the time that is left, so that one dead address does not
// use up all of it. Its connections leave in one way; of a name only the addresses of the way's
// source's family are tried.
// Lifetime: Dials end before the dialer, the loop and `timers`.
#pragma once

#include <utility>

#include "drivers/uv/loop.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"

namespace sluice::drivers {

inline constexpr size_t kDialAddressesMax = 8;

class UvDialer final : public ports::Dialer {
 public:
  UvDialer(UvLoop& loop, const ports::Clock& clock, ports::Timers& timers,
           ports::OutboundWay way = {})
      : loop_(loop), clock_(clock), timers_(timers), way_(std::move(way)) {}
  std::unique_ptr<ports::Dial> dial(const ports::Address& to, Duration timeout,
                                    ports::DialSink& sink) override;

 private:
  UvLoop& loop_;
  const ports::Clock& clock_;
  ports::Timers& timers_;
  const ports::OutboundWay way_;
};

}  // namespace sluice::drivers
