// Does the network's address plan collide with the site's? Where it does, part of one of the two
// would vanish silently, so no tunnel is brought up, with advice. Pure.
//
// The site's own are the nets that an interface of this machine is connected to: they stay
// reachable, since the machine's users are there. A route to somewhere else is only somebody's word
// (a DHCP server may give out any, RFC 3442): the network comes first, and the tunnels stay.
#pragma once

#include <string>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/ports/links.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/uplinks.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

inline constexpr size_t kOverlapsMax = 16;   // told at most
inline constexpr size_t kRoutesToldMax = 8;  // of them routes: those that refuse are never hidden

struct Overlap {
  IpPrefix ours;          // of the network
  IpPrefix theirs;        // of the site
  std::string interface;  // where the site has it; empty: none
  Words words;
  bool refuses = true;  // no tunnel is brought up meanwhile
};

// What of the network's addresses is the site's own.
struct SitePart {
  IpPrefix net;  // as far as both have it
  int link = 0;
  std::string interface;
  IpAddress source;  // this machine's there
  bool operator==(const SitePart&) const = default;
};

// Against addresses and routes of every interface that is not ours (default routes aside), and
// against numeric hosts of the PoPs: what carries the tunnel cannot be inside it. An interface of
// kind wireguard or tun that is no uplink is another program's tunnel.
std::vector<Overlap> overlaps(const Membership& membership, const ports::NetworkState& network,
                              const std::vector<UplinkSeen>& uplinks = {});

// The nets of interfaces that are up, other programs' tunnels aside; each once. At most
// kOverlapsMax.
std::vector<SitePart> site_parts(const Membership& membership, const ports::NetworkState& network,
                                 const std::vector<UplinkSeen>& uplinks = {});
bool is_of_site(const std::vector<SitePart>& site, const IpAddress& address);

}  // namespace sluice::tunnel
