#include "firmware/tunnel/wanted.h"

#include <algorithm>
#include <set>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::tunnel {

namespace {

using Family = IpAddress::Family;
using ports::RouteKind;
using ports::RouteState;
using ports::RuleState;

constexpr std::array<TrafficClass, kClasses> kAllClasses = {TrafficClass::interactive,
                                                            TrafficClass::bulk};
// Of the probe addresses by their own interfaces: behind the group's route (metric 0).
constexpr uint32_t kProbeMetric = 2000;

const ports::LinkState* find_link(const ports::NetworkState& network, const std::string& name) {
  for (const ports::LinkState& link : network.links) {
    if (link.name == name) return &link;
  }
  return nullptr;
}

RouteState unreachable(Family family, uint32_t table) {
  RouteState out;
  out.family = family;
  out.kind = RouteKind::unreachable;
  out.table = table;
  out.to = {IpAddress::any(family), 0};
  out.metric = kLastMetric;
  out.protocol = ports::kOurProtocol;
  return out;
}

WantedDevice device_of(const Membership& membership, const MemberPath& path, const PathWish& wish,
                       const std::vector<UplinkSeen>& uplinks) {
  WantedDevice out;
  out.number = path.number;
  out.interface = interface_of(path.number);
  out.private_key = path.private_key;
  const UplinkSeen* uplink = uplink_of(path, uplinks);
  if (!wish.shim && uplink != nullptr) out.mark = uplink_mark(uplink->number);
  out.listen_port = wish.listen_port;
  out.peer = path.lane->public_key;
  out.preshared = path.lane->preshared;
  out.endpoint = wish.endpoint;
  out.peering = wish.peering;
  out.allowed = membership.prefixes;
  const Pop* pop = membership.pop(path.name.pop);
  const bool probed = pop != nullptr && !pop->probe_address.is_unspecified();
  if (probed) out.allowed.push_back({pop->probe_address, pop->probe_address.bits()});
  for (IpPrefix& prefix : out.allowed) prefix = prefix.network();
  std::sort(out.allowed.begin(), out.allowed.end());
  out.allowed.erase(std::unique(out.allowed.begin(), out.allowed.end()), out.allowed.end());
  return out;
}

void add_path(const Membership& membership, const MemberPath& path, const PathWish& wish, int link,
              Wanted& out) {
  const int mtu = wish.mtu == 0 ? kInnerMtuFirst : std::max(wish.mtu, kInnerMtuLeast);
  out.links.push_back({link, interface_of(path.number), mtu, {membership.address, 32}});
  ports::NexthopState nexthop;
  nexthop.id = nexthop_of(path.number);
  nexthop.link = link;
  nexthop.protocol = ports::kOurProtocol;
  out.nexthops.push_back(nexthop);
  const Pop* pop = membership.pop(path.name.pop);
  if (pop == nullptr || pop->probe_address.is_unspecified()) return;
  for (const TrafficClass traffic : kAllClasses) {
    RouteState route;
    route.table = table_of(traffic);
    route.to = {pop->probe_address, 32};
    route.link = link;
    route.source = membership.address;
    route.metric = kProbeMetric + static_cast<uint32_t>(path.number);
    route.protocol = ports::kOurProtocol;
    out.routes.push_back(route);
  }
}

void add_class(const Membership& membership, TrafficClass traffic, std::optional<int> chosen,
               int mtu, Wanted& out) {
  out.routes.push_back(unreachable(Family::v4, table_of(traffic)));
  const bool bulk = traffic == TrafficClass::bulk;
  for (const IpPrefix& prefix : inner_destinations(membership)) {
    RuleState rule;
    rule.priority = bulk ? kBulkRulePriority : kNetworkRulePriority;
    rule.table = table_of(traffic);
    rule.to = prefix;
    if (bulk) rule.mark = mark_of(traffic);
    if (bulk) rule.mask = kMarkMask;
    rule.protocol = ports::kOurProtocol;
    out.rules.push_back(rule);
  }
  const auto there = [&](int number) {
    return std::any_of(out.nexthops.begin(), out.nexthops.end(),
                       [&](const auto& one) { return one.id == nexthop_of(number); });
  };
  if (!chosen || !there(*chosen)) return;
  ports::NexthopState group;
  group.id = group_of(traffic);
  group.group = {nexthop_of(*chosen)};
  group.protocol = ports::kOurProtocol;
  out.nexthops.push_back(group);
  for (const IpPrefix& prefix : inner_destinations(membership)) {
    RouteState route;
    route.table = table_of(traffic);
    route.to = prefix;
    route.nexthop = group.id;
    route.source = membership.address;
    route.protocol = ports::kOurProtocol;
    route.mtu = mtu;
    out.routes.push_back(route);
  }
}

RuleState rule_to(const IpPrefix& to, uint32_t priority, uint32_t table) {
  RuleState rule;
  rule.priority = priority;
  rule.table = table;
  rule.to = to;
  rule.protocol = ports::kOurProtocol;
  return rule;
}

void add_site(const WantedInput& input, Wanted& out) {
  if (input.site.empty()) return;
  out.routes.push_back(unreachable(Family::v4, kSiteTable));
  for (const SitePart& part : input.site) {
    RouteState route;
    route.table = kSiteTable;
    route.to = part.net;
    route.link = part.link;
    route.source = part.source;
    route.protocol = ports::kOurProtocol;
    out.routes.push_back(route);
    out.rules.push_back(rule_to(part.net, kSiteRulePriority, kSiteTable));
  }
  for (const IpAddress& node : input.nodes) {
    if (!is_of_site(input.site, node)) continue;
    out.rules.push_back(
        rule_to({node, 32}, kNodeRulePriority, table_of(TrafficClass::interactive)));
  }
}

bool is_copied(const RouteState& route, Family family, int link) {
  return route.family == family && route.table == ports::kMainTable && route.link == link &&
         route.kind == RouteKind::unicast && route.nexthop == 0 &&
         route.protocol != ports::kOurProtocol && !route.to.address.is_link_local();
}

void add_uplink(const UplinkSeen& uplink, const ports::NetworkState& network, Wanted& out) {
  for (const Family family : {Family::v4, Family::v6}) {
    out.routes.push_back(unreachable(family, uplink_table(uplink.number)));
    // Several ways to one place (two IPv6 routers on one link): a table of ours has the first.
    std::set<std::pair<IpPrefix, uint32_t>> copied;
    for (const RouteState& route : network.routes) {
      if (uplink.link == 0 || !is_copied(route, family, uplink.link)) continue;
      if (copied.size() == kUplinkRoutesMax) break;
      if (!copied.emplace(route.to.network(), route.metric).second) continue;
      RouteState own = route;
      own.table = uplink_table(uplink.number);
      own.protocol = ports::kOurProtocol;
      out.routes.push_back(own);
    }
    RuleState rule;
    rule.family = family;
    rule.priority = kUplinkRulePriority + static_cast<uint32_t>(uplink.number);
    rule.table = uplink_table(uplink.number);
    rule.mark = uplink_mark(uplink.number);
    rule.mask = kMarkMask;
    rule.protocol = ports::kOurProtocol;
    out.rules.push_back(rule);
  }
}

}  // namespace

const UplinkSeen* uplink_of(const MemberPath& path, const std::vector<UplinkSeen>& uplinks) {
  if (path.name.uplink != kAnyUplink) return find_uplink(uplinks, path.name.uplink);
  const Family family = path.name.transport == Transport::udp6 ? Family::v6 : Family::v4;
  const UplinkSeen* best = nullptr;
  for (const UplinkSeen& one : uplinks) {
    if (!one.carries(family)) continue;
    if (best == nullptr || one.preference < best->preference) best = &one;
  }
  return best;
}

std::vector<IpPrefix> inner_destinations(const Membership& membership) {
  std::vector<IpPrefix> out;
  for (const IpPrefix& prefix : membership.prefixes) out.push_back(prefix.network());
  for (const Pop& pop : membership.pops) {
    const IpAddress& address = pop.probe_address;
    const bool inside = std::any_of(out.begin(), out.end(),
                                    [&](const IpPrefix& one) { return one.contains(address); });
    if (!inside && !address.is_unspecified()) out.push_back({address, 32});
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Wanted wanted_state(const WantedInput& input) {
  Wanted out;
  if (input.membership == nullptr) return out;
  ENSURE(input.network != nullptr && (input.uplinks != nullptr || input.paths.empty()));
  const Membership& membership = *input.membership;
  for (const PathWish& wish : input.paths) {
    const MemberPath* path = membership.path(wish.number);
    if (path == nullptr || !path->lane) continue;
    out.devices.push_back(device_of(membership, *path, wish, *input.uplinks));
    const auto* link = find_link(*input.network, interface_of(wish.number));
    if (link != nullptr) add_path(membership, *path, wish, link->index, out);
  }
  for (const TrafficClass traffic : kAllClasses) {
    const auto chosen = input.chosen[static_cast<size_t>(traffic)];
    add_class(membership, traffic, chosen, input.routes_mtu, out);
  }
  add_site(input, out);
  if (input.uplinks == nullptr) return out;
  for (const UplinkSeen& uplink : *input.uplinks) add_uplink(uplink, *input.network, out);
  return out;
}

std::optional<ports::NetworkChange> switch_change(TrafficClass traffic, int path,
                                                  const ports::NetworkState& network) {
  const uint32_t member = nexthop_of(path);
  const bool there = std::any_of(network.nexthops.begin(), network.nexthops.end(),
                                 [&](const auto& one) { return one.id == member; });
  if (!there) return {};
  ports::NexthopState group;
  group.id = group_of(traffic);
  group.group = {member};
  group.protocol = ports::kOurProtocol;
  return ports::PutNexthop{group};
}

}  // namespace sluice::tunnel
