// What the kernel says of links, addresses, routes, rules and nexthops: message bodies to values.
// Pure. Nothing is returned for what a value cannot tell or what we do not look at.
// Layout: rtnetlink(7), linux/rtnetlink.h, linux/fib_rules.h, linux/nexthop.h.
#pragma once

#include <optional>

#include "drivers/netlink/reply.h"
#include "firmware/ports/links.h"

namespace sluice::drivers {

struct LinkAddress {
  int link = 0;
  IpPrefix address;
};

std::optional<ports::LinkState> read_link(Octets body);  // without addresses
// Of global scope and usable: not one that is still being tested for duplicates, or that failed.
std::optional<LinkAddress> read_address(Octets body);
std::optional<ports::RouteState> read_route(Octets body);  // no cached ones
std::optional<ports::RuleState> read_rule(Octets body);
std::optional<ports::NexthopState> read_nexthop(Octets body);

// Adds one message of any of these kinds to the picture, if it belongs there: routes of the main
// table and of our protocol, rules and nexthops of our protocol. An address needs its link there.
void add_to(ports::NetworkState& state, const Reply& reply);

}  // namespace sluice::drivers
