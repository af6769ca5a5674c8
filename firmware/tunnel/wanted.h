// What the kernel shall hold for the tunnels, as a value. Pure.
//
// The inner address stands on every path's interface as /32: what is on slw* is ours, so nothing of
// it is left behind, a socket bound to one interface has its source there, and streams keep theirs
// as long as one interface stands. Routes name it as their source.
//
// Tables of the classes: each prefix of the network by the class's nexthop group, and an
// unreachable default behind them. Also the probe address of every path by its own interface,
// behind the group: without it the kernel's reverse path filter (rp_filter 2, Debian's) drops
// answers as long as no path is chosen. It leads to nowhere but a tunnel. Tables of the uplinks:
// what the main table has by that interface, and an unreachable default.
//
// Without a path what is left is the guard: the rules, and the unreachable defaults behind them.
// Table of the site: the connected nets that have addresses of the network, and an unreachable
// default, so that an interface that goes down lets nothing through either.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/time.h"
#include "firmware/ports/links.h"
#include "firmware/ports/wireguard.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/overlap.h"
#include "firmware/tunnel/uplinks.h"

namespace sluice::tunnel {

inline constexpr int kInnerMtuLeast = 1280;
inline constexpr int kInnerMtuFirst = 1280;  // until a probe has proven more
inline constexpr int kInnerMtuMost = 1420;   // of an uplink of 1500 bytes: the ceiling of probes
inline constexpr Duration kKeepalive = Duration::seconds(25);
inline constexpr size_t kUplinkRoutesMax = 64;  // copied of one uplink and family

// Whether a device has its peer. Without one no handshake begins, from neither side.
enum class Peering {
  up,
  not_made,  // one that is there from an earlier run is let be
  gone,
};

// What the owner has decided of a path.
struct PathWish {
  int number = 0;                       // of the membership's path
  std::optional<IpEndpoint> endpoint;   // the PoP's, or the shim's here; nothing: not known yet
  int mtu = 0;                          // of its interface; 0: kInnerMtuFirst
  bool shim = false;                    // its outer packets go to this machine: no uplink's mark
  std::optional<uint16_t> listen_port;  // a rotated one; nothing: as it is
  Peering peering = Peering::up;
};

struct WantedDevice {
  int number = 0;
  std::string interface;
  ports::WgSecret private_key;
  uint32_t mark = 0;
  std::optional<uint16_t> listen_port;
  ports::WgKey peer{};
  ports::WgSecret preshared;
  std::optional<IpEndpoint> endpoint;
  Duration keepalive = kKeepalive;
  std::vector<IpPrefix> allowed;  // sorted
  Peering peering = Peering::up;
  bool operator==(const WantedDevice&) const = default;
};

struct WantedLink {
  int index = 0;
  std::string interface;
  int mtu = 0;
  IpPrefix address;  // /32
};

struct Wanted {
  std::vector<WantedDevice> devices;  // every path that can be: also those that are not open yet
  // What follows is of interfaces that are there; read the network again when one was opened.
  std::vector<WantedLink> links;
  std::vector<ports::RouteState> routes;
  std::vector<ports::RuleState> rules;
  std::vector<ports::NexthopState> nexthops;
};

using ChosenPaths = std::array<std::optional<int>, kClasses>;  // numbers; by TrafficClass

struct WantedInput {
  const Membership* membership = nullptr;            // null: not joined; then nothing is wanted
  const std::vector<UplinkSeen>* uplinks = nullptr;  // null: none is used
  const ports::NetworkState* network = nullptr;
  std::vector<PathWish> paths;  // those that shall be up
  ChosenPaths chosen;
  int routes_mtu = 0;  // what traffic may have at most by any path; 0: as its link carries
  std::vector<SitePart> site = {};    // of the network's addresses what the site keeps
  std::vector<IpAddress> nodes = {};  // but these are the network's wherever they lie
};

// A chosen path whose interface is not there counts as none. None chosen: the class is unreachable.
Wanted wanted_state(const WantedInput& input);

// By which uplink a path's outer packets leave. kAnyUplink: the least preference that carries.
const UplinkSeen* uplink_of(const MemberPath& path, const std::vector<UplinkSeen>& uplinks);

// What is inside the tunnel: the prefixes, and probe addresses that lie outside of them. For rules
// and the belt.
std::vector<IpPrefix> inner_destinations(const Membership& membership);

// The part of the wanted state that a switch replaces: the group of one class. Nothing when its
// interface is not there. For the fast way: no need to compute everything.
std::optional<ports::NetworkChange> switch_change(TrafficClass traffic, int path,
                                                  const ports::NetworkState& network);

}  // namespace sluice::tunnel
