// The machine's network: interfaces, addresses, routes, rules and nexthops as values, and single
// changes to them. What is ours is told by kOurProtocol; nothing else is ever changed or removed
// by a change that names a protocol-numbered thing.
// Terms: rtnetlink(7). Thread: loop; calls return when the kernel has answered (well below 1 ms).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"

namespace sluice::ports {

// rtm_protocol of our routes, rules and nexthops; a number that nobody else has taken.
inline constexpr uint8_t kOurProtocol = 199;
inline constexpr uint32_t kMainTable = 254;

struct LinkState {
  int index = 0;
  std::string name;
  std::string kind;      // "wireguard", "tun", "veth"; empty: a physical one
  bool up = false;       // administratively
  bool carrier = false;  // it can carry packets now
  bool loopback = false;
  int mtu = 0;
  std::vector<IpPrefix> addresses;  // global scope, with the length of their nets
  bool operator==(const LinkState&) const = default;
};

enum class RouteKind { unicast, unreachable, blackhole, other };

struct RouteState {
  IpAddress::Family family = IpAddress::Family::v4;
  RouteKind kind = RouteKind::unicast;
  uint32_t table = kMainTable;
  IpPrefix to;   // length zero: default
  int link = 0;  // index; 0 = none or by nexthop
  std::optional<IpAddress> gateway;
  uint32_t nexthop = 0;             // id of a nexthop object; 0 = none
  std::optional<IpAddress> source;  // preferred
  uint32_t metric = 0;
  uint8_t protocol = 0;
  int mtu = 0;  // what packets by it may have at most (RTAX_MTU); 0 = what its link carries
  bool operator==(const RouteState&) const = default;
};

struct RuleState {
  IpAddress::Family family = IpAddress::Family::v4;
  uint32_t priority = 0;
  uint32_t table = 0;
  std::optional<IpPrefix> to;
  uint32_t mark = 0;  // with mask; both zero = any
  uint32_t mask = 0;
  uint8_t protocol = 0;
  bool operator==(const RuleState&) const = default;
};

struct NexthopState {
  uint32_t id = 0;
  IpAddress::Family family = IpAddress::Family::v4;
  int link = 0;                 // index; 0 of a group
  std::vector<uint32_t> group;  // ids; empty = it is no group
  uint8_t protocol = 0;
  bool operator==(const NexthopState&) const = default;
};

struct NetworkState {
  std::vector<LinkState> links;
  std::vector<RouteState> routes;      // main table of both families, and every one of our protocol
  std::vector<RuleState> rules;        // those of our protocol
  std::vector<NexthopState> nexthops;  // those of our protocol
};

// Single changes. Adding what is there, and removing what is not, succeeds.
struct SetLink {
  int index = 0;
  bool up = true;
  int mtu = 0;  // 0 = as it is
};
struct AddAddress {
  int link = 0;
  IpPrefix address;
};
struct RemoveAddress {
  int link = 0;
  IpPrefix address;
};
struct PutRoute {  // replaces one with equal family, table, prefix and metric
  RouteState route;
};
struct RemoveRoute {
  RouteState route;
};
struct AddRule {
  RuleState rule;
};
struct RemoveRule {
  RuleState rule;
};
struct PutNexthop {  // replaces the one with this id: all routes that name it follow at once
  NexthopState nexthop;
};
struct RemoveNexthop {
  uint32_t id = 0;
};
struct RemoveLink {
  int index = 0;
};

using NetworkChange = std::variant<SetLink, AddAddress, RemoveAddress, PutRoute, RemoveRoute,
                                   AddRule, RemoveRule, PutNexthop, RemoveNexthop, RemoveLink>;

std::string text(const NetworkChange& change);  // as ip(8) would write it, for records

class LinksSink {
 public:
  virtual ~LinksSink() = default;
  // Links, addresses or routes changed: read again. Many changes of one moment come as one call.
  // `links`: indices of those whose state or addresses were announced, as far as they are known; a
  // hint of what is urgent.
  virtual void on_network_changed(const std::vector<int>& links) = 0;
};

class Links {
 public:
  virtual ~Links() = default;
  // A coherent picture: one that changed while it was read is read again, a bounded number of
  // times. Errors: busy (it kept changing), unsupported.
  virtual Result<NetworkState> read() = 0;
  // Errors: refused (the kernel does not accept it: its words), gone (no such link).
  virtual Result<void> apply(const NetworkChange& change) = 0;
  // One sink at most; null = none. It must outlive the Links or be taken away.
  virtual void watch(LinksSink* sink) = 0;
};

}  // namespace sluice::ports
