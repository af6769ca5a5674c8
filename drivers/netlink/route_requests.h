// Messages to the kernel about links, addresses, routes, rules and nexthops, as bytes. Pure.
// Layout: rtnetlink(7), linux/rtnetlink.h, linux/fib_rules.h, linux/nexthop.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "drivers/netlink/message.h"
#include "firmware/base/result.h"
#include "firmware/ports/links.h"

namespace sluice::drivers {

inline constexpr size_t kGroupMax = 64;  // nexthops of a group

// Errors: refused (not ours, too many nexthops, an index or id that cannot be).
Result<NetlinkMessage> change_request(const ports::NetworkChange& change);
// Whether `code` says that the change is true already: adding what is there, removing what is not.
bool is_true_already(const ports::NetworkChange& change, int code);

// All of a kind: RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETRULE, RTM_GETNEXTHOP; family AF_*.
NetlinkMessage dump_request(uint16_t type, uint8_t family);
NetlinkMessage link_request(std::string_view name);  // one, by name
NetlinkMessage make_link_request(std::string_view name, std::string_view kind);
// Asks for a link that cannot be (see kernel_has_wireguard): EINVAL = the kernel knows the kind.
NetlinkMessage absurd_link_request(std::string_view kind);

}  // namespace sluice::drivers
