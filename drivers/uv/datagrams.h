// UDP sockets: by an interface, a mark, a DSCP, a number of hops; arrival as the kernel saw it.
// Terms: ip(7), ipv6(7), socket(7). A socket is of one family.
// The arrival's age is a difference of two readings of the wall clock; should that be stepped in
// between, the arrival still lies between the moment the socket was last found empty and now().
// Lifetime: sockets end before the loop. `clock` counts what the loop's own clock counts.
#pragma once

#include "drivers/uv/loop.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/datagrams.h"

namespace sluice::drivers {

inline constexpr int kDatagramsPerWake = 32;  // of one socket; the rest waits a turn
inline constexpr int kUndeliveredPerWake = 16;

class UvDatagrams final : public ports::Datagrams {
 public:
  UvDatagrams(UvLoop& loop, const ports::Clock& clock) : loop_(loop), clock_(clock) {}
  Result<std::unique_ptr<ports::DatagramSocket>> open(const ports::DatagramSpec& spec,
                                                      ports::DatagramSink& sink) override;

 private:
  UvLoop& loop_;
  const ports::Clock& clock_;
};

}  // namespace sluice::drivers
