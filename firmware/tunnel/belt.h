// The second belt against leaks, beside the unreachable defaults: an nftables table of our own, as
// text for `nft --file -`. Pure. Applied as one transaction; nobody else's table is touched.
//   output, forward   to the network's prefixes only by slw*, or, of the site's own part, by its
//                     interface; all else is rejected and counted
//   input             from or to the inner address and prefixes only by slw*, and what is local
//   output            DSCP of outer packets by uplink mark, where a setting asks for it
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"

namespace sluice::tunnel {

inline constexpr std::string_view kBeltTable = "sluice_tunnel";

struct OuterDscp {
  uint32_t mark = 0;  // uplink_mark()
  uint8_t dscp = 0;   // 0..63
};

// A net of the site that has addresses of the network: it stays reachable there.
struct BeltSite {
  int link = 0;  // index
  IpPrefix net;
};

struct BeltInput {
  std::vector<IpPrefix> prefixes;    // v4; the table is valid without any
  std::optional<IpAddress> address;  // inner
  std::vector<OuterDscp> outer;
  std::vector<BeltSite> site;
  std::vector<IpAddress> nodes;  // the network's, though they lie in the site's part
};

// Replaces the table if it is there. Arguments of nft: {"--file", "-"}.
std::string belt_ruleset(const BeltInput& input);
std::string belt_removal();

struct BeltCounters {
  uint64_t output_packets = 0;   // of this machine, kept from leaving outside the tunnel
  uint64_t forward_packets = 0;  // of others
  uint64_t spoofed_packets = 0;  // came in outside the tunnel with addresses of the network
};
// Of `nft --json list counters table inet sluice_tunnel`. Errors: broken.
Result<BeltCounters> read_belt_counters(std::string_view json);

}  // namespace sluice::tunnel
