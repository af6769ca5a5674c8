// An OutboundWay on a socket that is not yet connected. For drivers only.
#pragma once

#include <sys/socket.h>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"
#include "firmware/ports/outbound_way.h"

namespace sluice::drivers {

// Address and port as the system wants them; `interface` names the link of a link-local address.
sockaddr_storage to_socket_address(const IpEndpoint& at, const std::string& interface = "");
socklen_t socket_address_size(const sockaddr_storage& address);
IpEndpoint to_endpoint(const sockaddr_storage& address);  // of AF_INET and AF_INET6

// Interface, mark and DSCP; not the source. Errors: gone (no such interface), refused (no
// permission; the kernel's words).
Result<void> set_way(int descriptor, IpAddress::Family family, const ports::OutboundWay& way);
// Interface, mark, DSCP, and the source with this port; 0: any, which TCP takes at connect only, so
// that many connections to different peers may share one.
// Errors: also refused (the source is not an address of this machine, or of the other family).
Result<void> set_way_and_source(int descriptor, IpAddress::Family family,
                                const ports::OutboundWay& way, uint16_t port);

}  // namespace sluice::drivers
