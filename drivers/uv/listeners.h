// Listening on TCP (literal IPv4 and IPv6 addresses) and on local sockets.
//
// Descriptors are kept for what accepted connections need (files, connections to nodes): with a
// bound set, one that is accepted beyond it is closed at once and told. The system gives out the
// lowest free number, so the number of a new socket tells how many are in use, at least. Local
// sockets have no bound: who administers the box comes in by them, also while clients have all they
// may have. When the process runs out of descriptors nevertheless, libuv gives up one that it keeps
// in reserve, accepts with it and closes: the client sees an end at once, and accepting does not
// spin. Accepted TCP streams have TCP_NODELAY and keep-alive from the listening socket (Linux
// copies them), which saves three system calls a connection. Lifetime: a Listener ends before the
// loop and `timers`; it may be destroyed in on_accept.
#pragma once

#include <cstdint>
#include <limits>

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
  // On a socket that listens already, inherited from another process; `asked` is what the settings
  // say. Takes over `descriptor`. Errors: refused, if it is no such socket.
  Result<std::unique_ptr<ports::Listener>> adopt(int descriptor, const ports::Address& asked,
                                                 ports::AcceptSink& sink);
  // Numbers of accepted TCP sockets stay below it. For listeners made later.
  void set_descriptor_bound(int64_t bound) { descriptor_bound_ = bound; }

 private:
  UvLoop& loop_;
  ports::Timers& timers_;
  int64_t descriptor_bound_ = std::numeric_limits<int64_t>::max();
};

}  // namespace sluice::drivers
