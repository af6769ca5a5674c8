// Messages of the generic netlink family "wireguard", as bytes. Pure. Layout: linux/wireguard.h,
// linux/genetlink.h.
//
// A message is bounded, so one change may be several. What is said once (keys, endpoint, keepalive,
// "these are all the allowed addresses") stands in a peer's first part; a later part only adds
// addresses. That a peer is not to be made stands in every part of it. Other peers stay: the flag
// that replaces all is never set.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "drivers/netlink/message.h"
#include "firmware/base/result.h"
#include "firmware/ports/wireguard.h"

namespace sluice::drivers {

inline constexpr size_t kSetMessageMax = 8192;
inline constexpr size_t kSetMessageMin = 256;  // a peer with one address fits at least
inline constexpr size_t kInterfaceNameMax = 15;

NetlinkMessage family_request(std::string_view family);
// In order. Errors: refused (a keepalive, prefix or name that cannot be).
Result<std::vector<NetlinkMessage>> set_requests(uint16_t family, const ports::WgChange& change,
                                                 size_t message_max = kSetMessageMax);
NetlinkMessage get_request(uint16_t family, std::string_view interface);

}  // namespace sluice::drivers
