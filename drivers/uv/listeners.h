// Listening on TCP (literal IPv4 and IPv6 addresses) and on local sockets.
//
// When the process runs out of descriptors, libuv gives up one that it keeps in reserve, accepts
// with it and closes: the client sees an end at once, and accepting does not spin.
// Accepted TCP streams have TCP_NODELAY and keep-alive from the listening socket (Linux copies
// them), which saves three system calls a connection.
// Lifetime: a Listener ends before the loop and `timers`; it may be destroyed in on_accept.
#pragma once

#include "drivers/uv/loop.h"
#include "firmware/ports/listener.h"
#include "firmware/ports/timers.h"

namespace sluice::drivers {

inline constexpr int kAcceptBacklog = 1024;
inline constexpr unsigned kKeepAliveSeconds = 60;

class UvListeners final : public ports::Listeners {
 public:
  UvListeners(UvLoop& loop, ports::Timers& timers) : loop_(loop), timers_(timers) {}
  Result<std::unique_ptr<ports::Listener>> listen(const ports::Address& at,
                                                  ports::AcceptSink& sink) override;

 private:
  UvLoop& loop_;
  ports::Timers& timers_;
};

}  // namespace sluice::drivers
