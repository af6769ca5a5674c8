#include "drivers/netlink/kernel_links.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "drivers/netlink/change_watch.h"
#include "drivers/netlink/netlink_socket.h"
#include "drivers/netlink/route_replies.h"
#include "drivers/netlink/route_requests.h"

namespace sluice::drivers {

namespace {

using namespace sluice::ports;

struct Dump {
  uint16_t type;
  uint8_t family;
  const char* what;
};

// Links before addresses: an address is put to its link.
constexpr Dump kDumps[] = {
    {RTM_GETLINK, AF_UNSPEC, "reading the links"},
    {RTM_GETADDR, AF_UNSPEC, "reading the addresses"},
    {RTM_GETROUTE, AF_INET, "reading the IPv4 routes"},
    {RTM_GETROUTE, AF_INET6, "reading the IPv6 routes"},
    {RTM_GETRULE, AF_INET, "reading the IPv4 rules"},
    {RTM_GETRULE, AF_INET6, "reading the IPv6 rules"},
    {RTM_GETNEXTHOP, AF_UNSPEC, "reading the nexthops"},
};

}  // namespace

KernelLinks::KernelLinks(UvLoop& loop)
    : loop_(loop), socket_(std::make_unique<NetlinkSocket>(NETLINK_ROUTE)) {}

KernelLinks::~KernelLinks() = default;

Result<NetworkState> KernelLinks::read() {
  NetworkState state;
  for (const Dump& dump : kDumps) {
    const NetworkState before = state;
    NetlinkMessage request = dump_request(dump.type, dump.family);
    const Answer answer = ask_coherently(
        *socket_, request, [&] { state = before; },
        [&](const Reply& reply) { add_to(state, reply); });
    if (answer.code != 0) return kernel_error(dump.what, answer);
  }
  return state;
}

Result<void> KernelLinks::apply(const NetworkChange& change) {
  auto request = change_request(change);
  if (!request) {
    Error error = request.error();
    error.text = text(change) + ": " + error.text;
    return error;
  }
  const Answer answer = socket_->ask(*request);
  if (answer.code == 0 || is_true_already(change, answer.code)) return {};
  return kernel_error(text(change), answer);
}

void KernelLinks::watch(LinksSink* sink) {
  watch_.reset();
  if (sink != nullptr) watch_ = std::make_unique<ChangeWatch>(loop_, *sink);
}

}  // namespace sluice::drivers
