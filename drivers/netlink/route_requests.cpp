#include "drivers/netlink/route_requests.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "drivers/netlink/attributes.h"
#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

using namespace sluice::ports;

constexpr uint16_t kAdd = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
constexpr uint16_t kPut = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
constexpr uint32_t kAbsurdMtu = 0xffffffff;

uint8_t family_number(IpAddress::Family family) {
  return family == IpAddress::Family::v4 ? AF_INET : AF_INET6;
}

Error not_accepted(std::string why) { return {ErrorKind::refused, "netlink", std::move(why)}; }

// Every message here is far below kMessageMax.
void must(bool put) { ENSURE(put); }

// Tables above 255 stand in an attribute only.
uint8_t small_table(uint32_t table) {
  return table < 256 ? static_cast<uint8_t>(table) : static_cast<uint8_t>(RT_TABLE_UNSPEC);
}

bool is_ours(uint8_t protocol) { return protocol == 0 || protocol == kOurProtocol; }

bool is_sound(const IpPrefix& prefix) {
  return prefix.length >= 0 && prefix.length <= prefix.address.bits();
}

NetlinkMessage link_message(int index, unsigned flags, unsigned change, uint16_t type) {
  NetlinkMessage message(type, NLM_F_ACK);
  ifinfomsg fixed{};
  fixed.ifi_family = AF_UNSPEC;
  fixed.ifi_index = index;
  fixed.ifi_flags = flags;
  fixed.ifi_change = change;
  message.put_fixed(fixed);
  return message;
}

Result<NetlinkMessage> request_of(const SetLink& change) {
  if (change.index <= 0) return not_accepted("a link without a number cannot be set");
  auto message = link_message(change.index, change.up ? IFF_UP : 0, IFF_UP, RTM_NEWLINK);
  if (change.mtu != 0) must(message.put_u32(IFLA_MTU, static_cast<uint32_t>(change.mtu)));
  return message;
}

Result<NetlinkMessage> request_of(const RemoveLink& change) {
  if (change.index <= 0) return not_accepted("a link without a number cannot be removed");
  return link_message(change.index, 0, 0, RTM_DELLINK);
}

Result<NetlinkMessage> address_request(uint16_t type, uint16_t flags, int link,
                                       const IpPrefix& address) {
  if (link <= 0) return not_accepted("an address needs a link");
  if (!is_sound(address)) return not_accepted("the length of the address's net cannot be");
  NetlinkMessage message(type, flags);
  ifaddrmsg fixed{};
  fixed.ifa_family = family_number(address.address.family);
  fixed.ifa_prefixlen = static_cast<uint8_t>(address.length);
  // Our addresses are given out by the network: nobody else on the link has them, so no waiting
  // for duplicates.
  fixed.ifa_flags = address.address.family == IpAddress::Family::v6 ? IFA_F_NODAD : 0;
  fixed.ifa_scope = RT_SCOPE_UNIVERSE;
  fixed.ifa_index = static_cast<uint32_t>(link);
  message.put_fixed(fixed);
  must(message.put(IFA_LOCAL, octets_of(address.address)));
  must(message.put(IFA_ADDRESS, octets_of(address.address)));
  return message;
}

Result<NetlinkMessage> request_of(const AddAddress& change) {
  return address_request(RTM_NEWADDR, kAdd, change.link, change.address);
}

Result<NetlinkMessage> request_of(const RemoveAddress& change) {
  return address_request(RTM_DELADDR, NLM_F_ACK, change.link, change.address);
}

uint8_t route_type(RouteKind kind) {
  switch (kind) {
    case RouteKind::unreachable:
      return RTN_UNREACHABLE;
    case RouteKind::blackhole:
      return RTN_BLACKHOLE;
    default:
      return RTN_UNICAST;
  }
}

// A unicast route straight onto a link reaches no further than the link; in a removal, any.
uint8_t route_scope(const RouteState& route, bool remove) {
  if (remove) return RT_SCOPE_NOWHERE;
  const bool direct = route.kind == RouteKind::unicast && !route.gateway && route.nexthop == 0;
  return direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

Result<NetlinkMessage> route_request(const RouteState& route, bool remove) {
  if (!is_ours(route.protocol)) return not_accepted("the route belongs to somebody else");
  if (route.kind == RouteKind::other) return not_accepted("a route of this kind is not ours");
  if (!is_sound(route.to) || (route.to.length > 0 && route.to.address.family != route.family)) {
    return not_accepted("the route's destination cannot be");
  }
  NetlinkMessage message(remove ? RTM_DELROUTE : RTM_NEWROUTE, remove ? NLM_F_ACK : kPut);
  rtmsg fixed{};
  fixed.rtm_family = family_number(route.family);
  fixed.rtm_dst_len = static_cast<uint8_t>(route.to.length);
  fixed.rtm_table = small_table(route.table);
  fixed.rtm_protocol = kOurProtocol;
  fixed.rtm_scope = route_scope(route, remove);
  fixed.rtm_type = route_type(route.kind);
  message.put_fixed(fixed);
  if (route.to.length > 0) must(message.put(RTA_DST, octets_of(route.to.network().address)));
  must(message.put_u32(RTA_TABLE, route.table));
  if (route.metric != 0) must(message.put_u32(RTA_PRIORITY, route.metric));
  // How it led there does not matter for a removal, and may be gone already.
  if (remove || route.kind != RouteKind::unicast) return message;
  if (route.nexthop != 0) {
    must(message.put_u32(RTA_NH_ID, route.nexthop));
  } else {
    if (route.gateway) must(message.put(RTA_GATEWAY, octets_of(*route.gateway)));
    if (route.link != 0) must(message.put_u32(RTA_OIF, static_cast<uint32_t>(route.link)));
  }
  if (route.source) must(message.put(RTA_PREFSRC, octets_of(*route.source)));
  if (route.mtu != 0) {
    nlattr* metrics = message.begin(RTA_METRICS);
    must(metrics != nullptr);
    must(message.put_u32(RTAX_MTU, static_cast<uint32_t>(route.mtu)));
    message.end(metrics);
  }
  return message;
}

Result<NetlinkMessage> request_of(const PutRoute& change) {
  return route_request(change.route, false);
}

Result<NetlinkMessage> request_of(const RemoveRoute& change) {
  return route_request(change.route, true);
}

Result<NetlinkMessage> rule_request(const RuleState& rule, bool remove) {
  if (!is_ours(rule.protocol)) return not_accepted("the rule belongs to somebody else");
  if (rule.to && (!is_sound(*rule.to) || rule.to->address.family != rule.family)) {
    return not_accepted("the rule's destination cannot be");
  }
  NetlinkMessage message(remove ? RTM_DELRULE : RTM_NEWRULE, remove ? NLM_F_ACK : kAdd);
  fib_rule_hdr fixed{};
  fixed.family = family_number(rule.family);
  fixed.dst_len = rule.to ? static_cast<uint8_t>(rule.to->length) : 0;
  fixed.table = small_table(rule.table);
  fixed.action = FR_ACT_TO_TBL;
  message.put_fixed(fixed);
  if (rule.to && rule.to->length > 0) {
    must(message.put(FRA_DST, octets_of(rule.to->network().address)));
  }
  must(message.put_u32(FRA_PRIORITY, rule.priority));
  must(message.put_u32(FRA_TABLE, rule.table));
  if (rule.mark != 0 || rule.mask != 0) {
    must(message.put_u32(FRA_FWMARK, rule.mark));
    must(message.put_u32(FRA_FWMASK, rule.mask));
  }
  must(message.put_u8(FRA_PROTOCOL, kOurProtocol));
  return message;
}

Result<NetlinkMessage> request_of(const AddRule& change) {
  return rule_request(change.rule, false);
}

Result<NetlinkMessage> request_of(const RemoveRule& change) {
  return rule_request(change.rule, true);
}

NetlinkMessage nexthop_message(uint16_t type, uint16_t flags, uint8_t family, uint8_t protocol) {
  NetlinkMessage message(type, flags);
  nhmsg fixed{};
  fixed.nh_family = family;
  fixed.nh_protocol = protocol;
  message.put_fixed(fixed);
  return message;
}

Result<NetlinkMessage> request_of(const PutNexthop& change) {
  const NexthopState& nexthop = change.nexthop;
  if (!is_ours(nexthop.protocol)) return not_accepted("the nexthop belongs to somebody else");
  if (nexthop.id == 0) return not_accepted("a nexthop needs an id");
  if (nexthop.group.size() > kGroupMax) return not_accepted("too many nexthops in a group");
  const bool is_group = !nexthop.group.empty();
  const uint8_t family = is_group ? AF_UNSPEC : family_number(nexthop.family);
  auto message = nexthop_message(RTM_NEWNEXTHOP, kPut, family, kOurProtocol);
  must(message.put_u32(NHA_ID, nexthop.id));
  if (!is_group) {
    must(message.put_u32(NHA_OIF, static_cast<uint32_t>(nexthop.link)));
    return message;
  }
  std::vector<uint8_t> members;
  for (const uint32_t id : nexthop.group) {
    nexthop_grp member{};
    member.id = id;
    const auto* bytes = reinterpret_cast<const uint8_t*>(&member);
    members.insert(members.end(), bytes, bytes + sizeof member);
  }
  must(message.put(NHA_GROUP, members));
  return message;
}

Result<NetlinkMessage> request_of(const RemoveNexthop& change) {
  auto message = nexthop_message(RTM_DELNEXTHOP, NLM_F_ACK, AF_UNSPEC, 0);
  must(message.put_u32(NHA_ID, change.id));
  return message;
}

template <class... Kinds>
bool is_any(const NetworkChange& change) {
  return (std::holds_alternative<Kinds>(change) || ...);
}

template <class Fixed>
NetlinkMessage dump_of(uint16_t type, Fixed fixed) {
  NetlinkMessage message(type, NLM_F_DUMP);
  message.put_fixed(fixed);
  return message;
}

void put_kind(NetlinkMessage& message, std::string_view kind) {
  nlattr* nest = message.begin(IFLA_LINKINFO);
  ENSURE(nest != nullptr);
  must(message.put_text(IFLA_INFO_KIND, kind));
  message.end(nest);
}

NetlinkMessage named_link(uint16_t type, uint16_t flags, std::string_view name) {
  NetlinkMessage message(type, flags);
  message.put_fixed(ifinfomsg{});
  if (!name.empty()) must(message.put_text(IFLA_IFNAME, name.substr(0, IFNAMSIZ - 1)));
  return message;
}

}  // namespace

Result<NetlinkMessage> change_request(const NetworkChange& change) {
  return std::visit([](const auto& one) { return request_of(one); }, change);
}

bool is_true_already(const NetworkChange& change, int code) {
  if (code == EEXIST) return is_any<AddAddress, AddRule>(change);
  if (!is_any<RemoveAddress, RemoveRoute, RemoveRule, RemoveNexthop, RemoveLink>(change)) {
    return false;
  }
  // EADDRNOTAVAIL: what the kernel says of an address that is not on the link.
  return code == ENOENT || code == ESRCH || code == ENODEV || code == EADDRNOTAVAIL;
}

NetlinkMessage dump_request(uint16_t type, uint8_t family) {
  switch (type) {
    case RTM_GETLINK: {
      ifinfomsg fixed{};
      fixed.ifi_family = family;
      return dump_of(type, fixed);
    }
    case RTM_GETADDR: {
      ifaddrmsg fixed{};
      fixed.ifa_family = family;
      return dump_of(type, fixed);
    }
    case RTM_GETROUTE: {
      rtmsg fixed{};
      fixed.rtm_family = family;
      return dump_of(type, fixed);
    }
    case RTM_GETRULE: {
      fib_rule_hdr fixed{};
      fixed.family = family;
      return dump_of(type, fixed);
    }
    default: {
      ENSURE(type == RTM_GETNEXTHOP);
      nhmsg fixed{};
      fixed.nh_family = family;
      return dump_of(type, fixed);
    }
  }
}

NetlinkMessage link_request(std::string_view name) {
  return named_link(RTM_GETLINK, NLM_F_ACK, name);
}

NetlinkMessage make_link_request(std::string_view name, std::string_view kind) {
  NetlinkMessage message = named_link(RTM_NEWLINK, kAdd, name);
  put_kind(message, kind);
  return message;
}

NetlinkMessage absurd_link_request(std::string_view kind) {
  NetlinkMessage message = named_link(RTM_NEWLINK, kAdd, {});
  must(message.put_u32(IFLA_MTU, kAbsurdMtu));
  put_kind(message, kind);
  return message;
}

}  // namespace sluice::drivers
