// The machine's network as the kernel has it: ports::Links by rtnetlink, in the network namespace
// in which this was made. TUN devices cannot be made by rtnetlink; drivers/uapi makes them.
//
// What the kernel does by itself, and read() therefore tells: a link that goes down or loses its
// carrier takes its nexthop objects along a moment later, and every route by them; removing a link
// takes its addresses, routes and nexthops. An IPv6 route without a metric reads back with 1024.
// Only what carries kOurProtocol is put or removed: a route, rule or nexthop value with protocol 0
// is taken as ours, one with another number is refused.
// Thread: loop. Lifetime: destroyed before the loop.
#pragma once

#include <memory>

#include "drivers/uv/loop.h"
#include "firmware/ports/links.h"

namespace sluice::drivers {

class NetlinkSocket;
class ChangeWatch;

class KernelLinks final : public ports::Links {
 public:
  explicit KernelLinks(UvLoop& loop);
  ~KernelLinks() override;
  KernelLinks(const KernelLinks&) = delete;
  KernelLinks& operator=(const KernelLinks&) = delete;

  Result<ports::NetworkState> read() override;
  Result<void> apply(const ports::NetworkChange& change) override;
  // A change is told in the turn in which the kernel announced it; also changes of our own, and an
  // overflow of announcements. Errors are told by read().
  void watch(ports::LinksSink* sink) override;

 private:
  UvLoop& loop_;
  std::unique_ptr<NetlinkSocket> socket_;  // requests
  std::unique_ptr<ChangeWatch> watch_;     // null: nobody listens
};

}  // namespace sluice::drivers
