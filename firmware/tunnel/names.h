// The words of the tunnel: what a path is and how its things are called and numbered.
// A path = uplink x PoP (point of presence) x transport. Each has a WireGuard interface and a key
// pair of its own; all share one inner address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "firmware/base/ip.h"
#include "firmware/ports/links.h"

namespace sluice::tunnel {

enum class Transport { udp4, udp6, tcp443 };
const char* to_text(Transport transport);  // "udp4", "udp6", "tcp443"

struct PathName {
  std::string uplink;
  std::string pop;
  Transport transport = Transport::udp4;
  std::string text() const { return uplink + "/" + pop + "/" + to_text(transport); }
  auto operator<=>(const PathName&) const = default;
};

// Traffic classes. Each has a nexthop group and a routing table of its own.
enum class TrafficClass { interactive, bulk };
inline constexpr int kClasses = 2;
const char* to_text(TrafficClass traffic);

// What is ours in the kernel besides kOurProtocol. Marks use the highest byte only, under kMarkMask
// (the numbers of other tools lie lower: mwan3 0x3f00, Tailscale 0xff0000, NetBird 0x1bd00).
inline constexpr std::string_view kInterfacePrefix = "slw";  // slw0, slw1, ...
inline constexpr int kPathsMax = 16;
inline constexpr int kUplinksMax = 8;
inline constexpr uint32_t kMarkMask = 0xff000000;

inline std::string interface_of(int path) {
  return std::string(kInterfacePrefix) + std::to_string(path);
}
// Inner packets: the class. Unmarked ones are interactive.
inline constexpr uint32_t mark_of(TrafficClass traffic) {
  return traffic == TrafficClass::bulk ? 0x02000000 : 0x01000000;
}
// Outer packets: by which uplink they leave.
inline constexpr uint32_t uplink_mark(int uplink) {
  return (0x10U + static_cast<uint32_t>(uplink)) << 24;
}
inline constexpr uint32_t table_of(TrafficClass traffic) {
  return traffic == TrafficClass::bulk ? 51101 : 51100;
}
inline constexpr uint32_t kSiteTable = 51102;  // what of the network's addresses is the site's own
inline constexpr uint32_t uplink_table(int uplink) { return 51110 + static_cast<uint32_t>(uplink); }
inline constexpr uint32_t nexthop_of(int path) { return 0x51100000 + static_cast<uint32_t>(path); }
inline constexpr uint32_t group_of(TrafficClass traffic) {
  return traffic == TrafficClass::bulk ? 0x511f0001 : 0x511f0000;
}
// Rules, in order: outer packets by mark, nodes that lie in the site's own part, that part, then
// bulk, then everything for the compute network.
inline constexpr uint32_t kUplinkRulePriority = 5100;
inline constexpr uint32_t kNodeRulePriority = 5110;
inline constexpr uint32_t kSiteRulePriority = 5112;
inline constexpr uint32_t kBulkRulePriority = 5120;
inline constexpr uint32_t kNetworkRulePriority = 5130;
// Of the `unreachable default` in the tables of the classes: the last resort.
inline constexpr uint32_t kLastMetric = 4278198272;

// DSCP (RFC 2474) of inner packets.
inline constexpr uint8_t kDscpProbe = 48;        // CS6
inline constexpr uint8_t kDscpInteractive = 46;  // EF
inline constexpr uint8_t kDscpBulk = 8;          // CS1

}  // namespace sluice::tunnel
