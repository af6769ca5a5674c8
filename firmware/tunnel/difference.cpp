#include "firmware/tunnel/difference.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "firmware/base/text.h"
#include "firmware/tunnel/path_keys.h"

namespace sluice::tunnel {

namespace {

using ports::NetworkChange;
using ports::NetworkState;
using ports::RouteKind;
using ports::RouteState;

// What the kernel tells of an unreachable route besides (IPv6: an interface) says nothing.
RouteState plain(RouteState route) {
  if (route.kind != RouteKind::unicast || route.nexthop != 0) {
    route.link = 0;
    route.gateway.reset();
  }
  if (route.kind != RouteKind::unicast) {
    route.source.reset();
    route.mtu = 0;
  }
  route.to = route.to.network();
  return route;
}

bool same(const RouteState& a, const RouteState& b) { return plain(a) == plain(b); }

auto key_of(const RouteState& route) {
  return std::make_tuple(route.family, route.table, route.to.network(), route.metric);
}

bool is_last(const RouteState& route) { return route.kind != RouteKind::unicast; }

bool has(const std::vector<RouteState>& routes, const RouteState& one) {
  return std::any_of(routes.begin(), routes.end(),
                     [&](const RouteState& other) { return same(one, other); });
}

template <class Thing>
bool has(const std::vector<Thing>& things, const Thing& one) {
  return std::find(things.begin(), things.end(), one) != things.end();
}

bool is_ours(const RouteState& route) { return route.protocol == ports::kOurProtocol; }

// Routes that nothing else must precede, then those that need another one: gateways their net.
enum class RouteStep { last_resort, direct, by_gateway, by_nexthop };

RouteStep step_of(const RouteState& route) {
  if (is_last(route)) return RouteStep::last_resort;
  if (route.nexthop != 0) return RouteStep::by_nexthop;
  return route.gateway ? RouteStep::by_gateway : RouteStep::direct;
}

class Changes {
 public:
  Changes(const Wanted& wanted, const NetworkState& actual) : wanted_(wanted), actual_(actual) {}

  std::vector<NetworkChange> all() {
    put_routes(RouteStep::last_resort);
    remove_leading_outside();
    add_rules();
    set_links();
    put_routes(RouteStep::direct);
    put_routes(RouteStep::by_gateway);
    put_nexthops(false);
    put_nexthops(true);
    put_routes(RouteStep::by_nexthop);
    remove_routes(false);
    remove_nexthops(true);
    remove_nexthops(false);
    remove_rules();
    remove_addresses();
    remove_routes(true);
    return std::move(out_);
  }

 private:
  void put_routes(RouteStep step) {
    for (const RouteState& route : wanted_.routes) {
      if (step_of(route) != step || is_there(route)) continue;
      out_.push_back(ports::PutRoute{route});
    }
  }

  // And stays: a route by a group that leads outside is taken away first, even a wanted one.
  bool is_there(const RouteState& route) const {
    return std::any_of(actual_.routes.begin(), actual_.routes.end(), [&](const RouteState& one) {
      return same(one, route) && !leads_outside(one);
    });
  }

  void add_rules() {
    for (const ports::RuleState& rule : wanted_.rules) {
      if (!has(actual_.rules, rule)) out_.push_back(ports::AddRule{rule});
    }
  }

  void set_links() {
    for (const WantedLink& link : wanted_.links) {
      const auto* there = find(link.index);
      if (there == nullptr) continue;
      // The address first: an interface that is up without one would answer with another's.
      if (!has(there->addresses, link.address)) {
        out_.push_back(ports::AddAddress{link.index, link.address});
      }
      if (!there->up || there->mtu != link.mtu) {
        out_.push_back(ports::SetLink{link.index, true, link.mtu});
      }
    }
  }

  void put_nexthops(bool groups) {
    for (const ports::NexthopState& one : wanted_.nexthops) {
      if (one.group.empty() == groups || has(actual_.nexthops, one)) continue;
      out_.push_back(ports::PutNexthop{one});
    }
  }

  // Leftovers in the tables of the classes, before a rule leads there.
  void remove_leading_outside() {
    for (const RouteState& route : actual_.routes) {
      if (leads_outside(route)) out_.push_back(ports::RemoveRoute{route});
    }
  }

  bool leads_outside(const RouteState& route) const {
    const bool of_class = route.table == table_of(TrafficClass::interactive) ||
                          route.table == table_of(TrafficClass::bulk);
    if (!is_ours(route) || !of_class || is_last(route)) return false;
    if (route.nexthop == 0) return find(route.link) == nullptr;
    return nexthop_leads_outside(route.nexthop);
  }

  bool nexthop_leads_outside(uint32_t id) const {
    for (const ports::NexthopState& one : actual_.nexthops) {
      if (one.id != id) continue;
      if (one.group.empty()) return find(one.link) == nullptr;
      return std::any_of(one.group.begin(), one.group.end(), [&](uint32_t member) {
        return member == id || group_member_leads_outside(member);
      });
    }
    return true;  // not one of ours
  }

  bool group_member_leads_outside(uint32_t id) const {
    for (const ports::NexthopState& one : actual_.nexthops) {
      if (one.id == id) return !one.group.empty() || find(one.link) == nullptr;
    }
    return true;
  }

  // One that was just replaced is gone already; where several share a key, the next comparison
  // finds the others.
  void remove_routes(bool last_resorts) {
    std::set<decltype(key_of(RouteState()))> replaced;
    for (const RouteState& route : wanted_.routes) {
      if (!has(actual_.routes, route)) replaced.insert(key_of(route));
    }
    for (const RouteState& route : actual_.routes) {
      if (!is_ours(route) || is_last(route) != last_resorts || has(wanted_.routes, route)) continue;
      if (leads_outside(route)) continue;  // gone already
      if (replaced.count(key_of(route)) == 0) out_.push_back(ports::RemoveRoute{route});
    }
  }

  void remove_nexthops(bool groups) {
    for (const ports::NexthopState& one : actual_.nexthops) {
      if (one.protocol != ports::kOurProtocol || one.group.empty() == groups) continue;
      const bool kept = std::any_of(wanted_.nexthops.begin(), wanted_.nexthops.end(),
                                    [&](const auto& other) { return other.id == one.id; });
      if (!kept) out_.push_back(ports::RemoveNexthop{one.id});
    }
  }

  void remove_rules() {
    for (const ports::RuleState& rule : actual_.rules) {
      if (rule.protocol != ports::kOurProtocol || has(wanted_.rules, rule)) continue;
      out_.push_back(ports::RemoveRule{rule});
    }
  }

  void remove_addresses() {
    for (const WantedLink& link : wanted_.links) {
      const auto* there = find(link.index);
      if (there == nullptr) continue;
      for (const IpPrefix& address : there->addresses) {
        if (address != link.address) out_.push_back(ports::RemoveAddress{link.index, address});
      }
    }
  }

  const ports::LinkState* find(int index) const {
    for (const ports::LinkState& link : actual_.links) {
      if (link.index == index && is_our_interface(link.name)) return &link;
    }
    return nullptr;
  }

  const Wanted& wanted_;
  const NetworkState& actual_;
  std::vector<NetworkChange> out_;
};

std::vector<IpPrefix> sorted(std::vector<IpPrefix> prefixes) {
  std::sort(prefixes.begin(), prefixes.end());
  return prefixes;
}

ports::WgPeerChange whole_peer(const WantedDevice& wanted) {
  ports::WgPeerChange peer;
  peer.public_key = wanted.peer;
  peer.replace_allowed = true;
  if (wanted.preshared.is_set()) peer.preshared = wanted.preshared;
  peer.endpoint = wanted.endpoint;
  peer.keepalive = wanted.keepalive;
  peer.allowed = wanted.allowed;
  return peer;
}

// Nothing: as wanted.
std::optional<ports::WgPeerChange> peer_difference(const WantedDevice& wanted,
                                                   const ports::WgPeerState& actual,
                                                   const WantedDevice* applied) {
  ports::WgPeerChange peer;
  peer.public_key = wanted.peer;
  peer.update_only = true;
  const bool other_secret = applied != nullptr && !(applied->preshared == wanted.preshared);
  if (actual.has_preshared != wanted.preshared.is_set() || other_secret) {
    peer.preshared = wanted.preshared;
  }
  const bool roamed = applied != nullptr && applied->endpoint == wanted.endpoint &&
                      applied->peer == wanted.peer && actual.endpoint.has_value();
  if (wanted.endpoint && wanted.endpoint != actual.endpoint && !roamed) {
    peer.endpoint = wanted.endpoint;
  }
  if (actual.keepalive != wanted.keepalive) peer.keepalive = wanted.keepalive;
  if (sorted(actual.allowed) != wanted.allowed) {
    peer.replace_allowed = true;
    peer.allowed = wanted.allowed;
  }
  if (!peer.preshared && !peer.endpoint && !peer.keepalive && !peer.replace_allowed) return {};
  return peer;
}

}  // namespace

std::vector<ports::NetworkChange> difference(const Wanted& wanted, const NetworkState& actual) {
  return Changes(wanted, actual).all();
}

bool is_our_interface(std::string_view name) {
  if (!name.starts_with(kInterfacePrefix)) return false;
  const auto number = to_integer(name.substr(kInterfacePrefix.size()));
  return number && *number >= 0 && *number < kPathsMax &&
         name == interface_of(static_cast<int>(*number));
}

std::vector<std::string> stray_interfaces(const Wanted& wanted, const NetworkState& actual) {
  std::vector<std::string> out;
  for (const ports::LinkState& link : actual.links) {
    const bool kept = std::any_of(wanted.devices.begin(), wanted.devices.end(),
                                  [&](const auto& one) { return one.interface == link.name; });
    if (is_our_interface(link.name) && !kept) out.push_back(link.name);
  }
  return out;
}

std::optional<ports::WgChange> wg_difference(const WantedDevice& wanted,
                                             const ports::WgState& actual,
                                             const WantedDevice* applied) {
  ports::WgChange out;
  out.interface = wanted.interface;
  if (actual.public_key != public_key_of(wanted.private_key)) out.private_key = wanted.private_key;
  if (actual.mark != wanted.mark) out.mark = wanted.mark;
  const bool port_asked = wanted.listen_port.value_or(0) != 0;
  if (port_asked && *wanted.listen_port != actual.listen_port) out.listen_port = wanted.listen_port;
  bool there = false;
  for (const ports::WgPeerState& peer : actual.peers) {
    if (peer.public_key == wanted.peer && wanted.peering != Peering::gone) {
      there = true;
      if (wanted.peering != Peering::up) continue;
      auto change = peer_difference(wanted, peer, applied);
      if (change) out.peers.push_back(std::move(*change));
      continue;
    }
    ports::WgPeerChange gone;
    gone.public_key = peer.public_key;
    gone.remove = true;
    out.peers.push_back(std::move(gone));
  }
  if (!there && wanted.peering == Peering::up) out.peers.push_back(whole_peer(wanted));
  if (!out.private_key && !out.mark && !out.listen_port && out.peers.empty()) return {};
  return out;
}

std::optional<ports::WgChange> endpoint_again(const WantedDevice& wanted) {
  if (!wanted.endpoint || wanted.peering != Peering::up) return {};
  ports::WgPeerChange peer;
  peer.public_key = wanted.peer;
  peer.update_only = true;
  peer.endpoint = wanted.endpoint;
  ports::WgChange out;
  out.interface = wanted.interface;
  out.peers.push_back(std::move(peer));
  return out;
}

}  // namespace sluice::tunnel
