#include "drivers/netlink/route_replies.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>

namespace sluice::drivers {

namespace {

using namespace sluice::ports;

// net/if.h of the C library lacks these two flags of the kernel's linux/if.h.
constexpr unsigned kLowerUp = 1U << 16;
constexpr unsigned kDormant = 1U << 17;

std::optional<IpAddress::Family> family_of(int number) {
  if (number == AF_INET) return IpAddress::Family::v4;
  if (number == AF_INET6) return IpAddress::Family::v6;
  return {};
}

// An address of this family, or nothing.
std::optional<IpAddress> address_in(Octets row, uint16_t type, IpAddress::Family family) {
  const auto value = attribute(row, type);
  auto address = value ? address_of(*value) : std::nullopt;
  if (address && address->family != family) return {};
  return address;
}

// The destination of a route or rule; length zero has no address. Nothing: it cannot be.
std::optional<IpPrefix> prefix_in(Octets row, uint16_t type, IpAddress::Family family, int length) {
  IpPrefix out{IpAddress::any(family), length};
  if (length > out.address.bits()) return {};
  if (length == 0) return out;
  const auto address = address_in(row, type, family);
  if (!address) return {};
  out.address = *address;
  return out;
}

template <class Fixed>
Octets behind(Octets body) {
  return body.subspan(std::min(body.size(), static_cast<size_t>(NLMSG_ALIGN(sizeof(Fixed)))));
}

RouteKind kind_of(uint8_t type) {
  switch (type) {
    case RTN_UNICAST:
      return RouteKind::unicast;
    case RTN_UNREACHABLE:
      return RouteKind::unreachable;
    case RTN_BLACKHOLE:
      return RouteKind::blackhole;
    default:
      return RouteKind::other;
  }
}

// Where a unicast route leads. Of several ways at once the first counts.
void read_way(RouteState& route, Octets row) {
  route.nexthop = number_of<uint32_t>(row, RTA_NH_ID);
  if (route.nexthop != 0) return;  // what the kernel resolved it to stands there as well
  route.link = number_of<int>(row, RTA_OIF);
  route.gateway = address_in(row, RTA_GATEWAY, route.family);
  const auto ways = attribute(row, RTA_MULTIPATH);
  const auto first = ways ? fixed_at<rtnexthop>(*ways) : std::nullopt;
  if (!first || first->rtnh_len < sizeof(rtnexthop) || first->rtnh_len > ways->size()) return;
  route.link = first->rtnh_ifindex;
  const Octets way = ways->first(first->rtnh_len).subspan(sizeof(rtnexthop));
  route.gateway = address_in(way, RTA_GATEWAY, route.family);
}

}  // namespace

std::optional<LinkState> read_link(Octets body) {
  const auto fixed = fixed_at<ifinfomsg>(body);
  if (!fixed || fixed->ifi_index <= 0) return {};
  const Octets row = behind<ifinfomsg>(body);
  const auto name = attribute(row, IFLA_IFNAME);
  if (!name) return {};
  LinkState link;
  link.index = fixed->ifi_index;
  link.name = text_of(*name);
  link.up = (fixed->ifi_flags & IFF_UP) != 0;
  link.carrier = (fixed->ifi_flags & kLowerUp) != 0 && (fixed->ifi_flags & kDormant) == 0;
  link.loopback = (fixed->ifi_flags & IFF_LOOPBACK) != 0;
  link.mtu = number_of<int>(row, IFLA_MTU);
  if (const auto nest = attribute(row, IFLA_LINKINFO)) {
    if (const auto kind = attribute(*nest, IFLA_INFO_KIND)) link.kind = text_of(*kind);
  }
  return link;
}

std::optional<LinkAddress> read_address(Octets body) {
  const auto fixed = fixed_at<ifaddrmsg>(body);
  const auto family = fixed ? family_of(fixed->ifa_family) : std::nullopt;
  if (!family || fixed->ifa_scope != RT_SCOPE_UNIVERSE) return {};
  const Octets row = behind<ifaddrmsg>(body);
  const auto flags = number_of<uint32_t>(row, IFA_FLAGS, fixed->ifa_flags);
  if ((flags & IFA_F_DADFAILED) != 0) return {};
  if ((flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0) return {};
  // Of a point-to-point link IFA_ADDRESS is the far end.
  auto address = address_in(row, IFA_LOCAL, *family);
  if (!address) address = address_in(row, IFA_ADDRESS, *family);
  if (!address || fixed->ifa_prefixlen > address->bits()) return {};
  return LinkAddress{static_cast<int>(fixed->ifa_index), {*address, fixed->ifa_prefixlen}};
}

std::optional<RouteState> read_route(Octets body) {
  const auto fixed = fixed_at<rtmsg>(body);
  const auto family = fixed ? family_of(fixed->rtm_family) : std::nullopt;
  if (!family || (fixed->rtm_flags & RTM_F_CLONED) != 0) return {};
  const Octets row = behind<rtmsg>(body);
  const auto to = prefix_in(row, RTA_DST, *family, fixed->rtm_dst_len);
  if (!to) return {};
  RouteState route;
  route.family = *family;
  route.kind = kind_of(fixed->rtm_type);
  route.table = number_of<uint32_t>(row, RTA_TABLE, fixed->rtm_table);
  route.to = *to;
  route.source = address_in(row, RTA_PREFSRC, *family);
  route.metric = number_of<uint32_t>(row, RTA_PRIORITY);
  route.protocol = fixed->rtm_protocol;
  if (const auto metrics = attribute(row, RTA_METRICS)) {
    route.mtu = number_of<int>(*metrics, RTAX_MTU);
  }
  // IPv6 names the loopback link with every unreachable route: it says nothing.
  if (route.kind != RouteKind::unreachable && route.kind != RouteKind::blackhole) {
    read_way(route, row);
  }
  return route;
}

std::optional<RuleState> read_rule(Octets body) {
  const auto fixed = fixed_at<fib_rule_hdr>(body);
  const auto family = fixed ? family_of(fixed->family) : std::nullopt;
  if (!family) return {};
  const Octets row = behind<fib_rule_hdr>(body);
  const auto to = prefix_in(row, FRA_DST, *family, fixed->dst_len);
  if (!to) return {};
  RuleState rule;
  rule.family = *family;
  rule.priority = number_of<uint32_t>(row, FRA_PRIORITY);
  rule.table = number_of<uint32_t>(row, FRA_TABLE, fixed->table);
  if (to->length > 0) rule.to = *to;
  rule.mark = number_of<uint32_t>(row, FRA_FWMARK);
  rule.mask = number_of<uint32_t>(row, FRA_FWMASK);
  rule.protocol = number_of<uint8_t>(row, FRA_PROTOCOL);
  return rule;
}

std::optional<NexthopState> read_nexthop(Octets body) {
  const auto fixed = fixed_at<nhmsg>(body);
  if (!fixed) return {};
  const Octets row = behind<nhmsg>(body);
  NexthopState nexthop;
  nexthop.id = number_of<uint32_t>(row, NHA_ID);
  if (nexthop.id == 0) return {};
  nexthop.family = family_of(fixed->nh_family).value_or(IpAddress::Family::v4);
  nexthop.link = number_of<int>(row, NHA_OIF);
  nexthop.protocol = fixed->nh_protocol;
  auto members = attribute(row, NHA_GROUP).value_or(Octets());
  while (const auto member = fixed_at<nexthop_grp>(members)) {
    nexthop.group.push_back(member->id);
    members = members.subspan(sizeof(nexthop_grp));
  }
  return nexthop;
}

void add_to(NetworkState& state, const Reply& reply) {
  if (reply.type == RTM_NEWLINK) {
    if (auto link = read_link(reply.body)) state.links.push_back(std::move(*link));
  } else if (reply.type == RTM_NEWADDR) {
    const auto address = read_address(reply.body);
    if (!address) return;
    const auto link = std::find_if(state.links.begin(), state.links.end(),
                                   [&](const LinkState& l) { return l.index == address->link; });
    if (link != state.links.end()) link->addresses.push_back(address->address);
  } else if (reply.type == RTM_NEWROUTE) {
    const auto route = read_route(reply.body);
    if (!route || (route->table != kMainTable && route->protocol != kOurProtocol)) return;
    state.routes.push_back(*route);
  } else if (reply.type == RTM_NEWRULE) {
    const auto rule = read_rule(reply.body);
    if (rule && rule->protocol == kOurProtocol) state.rules.push_back(*rule);
  } else if (reply.type == RTM_NEWNEXTHOP) {
    auto nexthop = read_nexthop(reply.body);
    if (nexthop && nexthop->protocol == kOurProtocol) state.nexthops.push_back(std::move(*nexthop));
  }
}

}  // namespace sluice::drivers
