#include "drivers/netlink/kernel_links.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/netlink/own_net.h"
#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;
using namespace sluice::ports;

namespace {

IpPrefix net(std::string_view text) {
  const auto prefix = IpPrefix::parse(text);
  REQUIRE(prefix);
  return *prefix;
}

struct Net {
  World world;
  KernelLinks links{world.loop};

  NetworkState read() {
    auto state = links.read();
    REQUIRE(state);
    return *state;
  }
  const LinkState link(std::string_view name) {
    const NetworkState state = read();
    const auto found = std::find_if(state.links.begin(), state.links.end(),
                                    [&](const LinkState& l) { return l.name == name; });
    REQUIRE(found != state.links.end());
    return *found;
  }
  void apply(const NetworkChange& change) {
    const auto done = links.apply(change);
    INFO(text(change), done ? std::string() : done.error().text);
    CHECK(done);
  }
  Error refusal(const NetworkChange& change) {
    const auto done = links.apply(change);
    REQUIRE_FALSE(done);
    return done.error();
  }
};

RouteState by_nexthop(std::string_view to, uint32_t table, uint32_t nexthop) {
  RouteState route;
  route.to = net(to);
  route.family = route.to.address.family;
  route.table = table;
  route.nexthop = nexthop;
  route.protocol = kOurProtocol;
  return route;
}

RouteState last_resort(uint32_t table) {
  RouteState route;
  route.kind = RouteKind::unreachable;
  route.table = table;
  route.to = net("0.0.0.0/0");
  route.metric = 4278198272;
  route.protocol = kOurProtocol;
  return route;
}

RuleState rule_for(uint32_t mark, uint32_t table, uint32_t priority) {
  RuleState rule;
  rule.priority = priority;
  rule.table = table;
  rule.mark = mark;
  rule.mask = 0xff000000;
  rule.protocol = kOurProtocol;
  return rule;
}

NexthopState onto(uint32_t id, int link) {
  NexthopState nexthop;
  nexthop.id = id;
  nexthop.link = link;
  nexthop.protocol = kOurProtocol;
  return nexthop;
}

NexthopState group(uint32_t id, std::vector<uint32_t> members) {
  NexthopState nexthop;
  nexthop.id = id;
  nexthop.group = std::move(members);
  nexthop.protocol = kOurProtocol;
  return nexthop;
}

}  // namespace

TEST_CASE("links: name, kind, state, carrier and MTU are what ip shows") {
  if (!enter_own_net()) return;
  run("ip link add dev a type veth peer name a2; ip link add br0 type bridge");
  Net net_here;
  CHECK(net_here.link("lo").loopback);
  CHECK(net_here.link("lo").kind.empty());
  LinkState wire = net_here.link("a");
  CHECK(wire.kind == "veth");
  CHECK_FALSE(wire.up);
  CHECK_FALSE(wire.carrier);
  CHECK_FALSE(wire.loopback);
  CHECK(wire.mtu == 1500);
  CHECK(net_here.link("br0").kind == "bridge");
  net_here.apply(SetLink{wire.index, true, 1412});
  wire = net_here.link("a");
  CHECK(wire.up);
  CHECK_FALSE(wire.carrier);  // the far end is down
  CHECK(wire.mtu == 1412);
  net_here.apply(SetLink{net_here.link("a2").index, true, 0});
  CHECK(net_here.link("a").carrier);
  CHECK(net_here.link("a2").mtu == 1500);
  net_here.apply(SetLink{wire.index, false, 0});
  CHECK_FALSE(net_here.link("a").up);
  net_here.apply(RemoveLink{wire.index});
  net_here.apply(RemoveLink{wire.index});  // true already
  CHECK(net_here.read().links.size() == 2);
  const Error gone = net_here.refusal(SetLink{wire.index, true, 0});
  CHECK(gone.kind == ErrorKind::gone);
}

TEST_CASE("links: addresses of both families come and go, adding and removing twice is no error") {
  if (!enter_own_net()) return;
  run("ip link add dev a type veth peer name a2; ip link set dev a up; ip link set dev a2 up");
  Net here;
  const int index = here.link("a").index;
  for (const char* text : {"10.88.0.2/32", "192.0.2.9/24", "2001:db8::2/64"}) {
    here.apply(AddAddress{index, net(text)});
    here.apply(AddAddress{index, net(text)});
  }
  CHECK(here.link("a").addresses ==
        std::vector<IpPrefix>{net("10.88.0.2/32"), net("192.0.2.9/24"), net("2001:db8::2/64")});
  CHECK(here.link("a2").addresses.empty());  // link-local ones are not of global scope
  for (const char* text : {"10.88.0.2/32", "2001:db8::2/64"}) {
    here.apply(RemoveAddress{index, net(text)});
    here.apply(RemoveAddress{index, net(text)});
  }
  CHECK(here.link("a").addresses == std::vector<IpPrefix>{net("192.0.2.9/24")});
  CHECK(here.refusal(AddAddress{0, net("10.0.0.1/32")}).kind == ErrorKind::refused);
  CHECK(here.refusal(AddAddress{4711, net("10.0.0.1/32")}).kind == ErrorKind::gone);
}

TEST_CASE("links: routes by a nexthop group, rules with marks, an unreachable default") {
  if (!enter_own_net()) return;
  make_two_wires();
  Net here;
  here.apply(AddAddress{here.link("lo").index, net("10.88.0.2/32")});
  const NexthopState first = onto(1001, here.link("a").index);
  const NexthopState second = onto(1002, here.link("b").index);
  const NexthopState both = group(2000, {1001});
  for (const NexthopState& nexthop : {first, second, both}) here.apply(PutNexthop{nexthop});
  RouteState inner = by_nexthop("10.88.0.0/24", 51100, 2000);
  inner.source = IpAddress::parse("10.88.0.2");
  const RouteState last = last_resort(51100);
  const RuleState marked = rule_for(0x02000000, 51101, 5120);
  RuleState network;
  network.priority = 5130;
  network.table = 51100;
  network.to = net("10.88.0.0/24");
  network.protocol = kOurProtocol;
  for (int i = 0; i < 2; ++i) {
    here.apply(PutRoute{inner});
    here.apply(PutRoute{last});
    here.apply(AddRule{marked});
    here.apply(AddRule{network});
  }
  const NetworkState state = here.read();
  CHECK(state.nexthops == std::vector<NexthopState>{first, second, both});
  CHECK(state.rules == std::vector<RuleState>{marked, network});
  CHECK(state.routes == std::vector<RouteState>{last, inner});
  CHECK(run("ip route get 10.88.0.1").find("10.88.0.1 dev a table 51100 src 10.88.0.2") == 0);
  CHECK(run("ip route get 10.88.0.1 mark 0x02000000").find("dev a") != std::string::npos);
  here.apply(PutNexthop{group(2000, {1002})});
  CHECK(run("ip route get 10.88.0.1").find("10.88.0.1 dev b table 51100 src 10.88.0.2") == 0);
  here.apply(PutNexthop{group(2000, {1001, 1002})});
  CHECK(here.read().nexthops.back().group == std::vector<uint32_t>{1001, 1002});
  for (int i = 0; i < 2; ++i) {
    here.apply(RemoveRoute{inner});
    here.apply(RemoveRoute{last});
    here.apply(RemoveRule{marked});
    here.apply(RemoveRule{network});
    for (const uint32_t id : {2000U, 1002U, 1001U}) here.apply(RemoveNexthop{id});
  }
  const NetworkState empty = here.read();
  CHECK(empty.nexthops.empty());
  CHECK(empty.rules.empty());
  CHECK(empty.routes.empty());
}

TEST_CASE("links: plain routes with gateway and metric, and of IPv6") {
  if (!enter_own_net()) return;
  run("ip link add dev a type veth peer name a2; ip link set dev a up; ip link set dev a2 up");
  Net here;
  const int index = here.link("a").index;
  here.apply(AddAddress{index, net("192.0.2.2/24")});
  here.apply(AddAddress{index, net("2001:db8::2/64")});
  RouteState v4;
  v4.table = 51110;
  v4.to = net("0.0.0.0/0");
  v4.link = index;
  v4.gateway = IpAddress::parse("192.0.2.1");
  v4.metric = 50;
  v4.protocol = kOurProtocol;
  RouteState v6;
  v6.family = IpAddress::Family::v6;
  v6.table = 51110;
  v6.to = net("::/0");
  v6.link = index;
  v6.gateway = IpAddress::parse("2001:db8::1");
  v6.metric = 50;
  v6.protocol = kOurProtocol;
  RouteState barred = v6;
  barred.kind = RouteKind::unreachable;
  barred.link = 0;
  barred.gateway.reset();
  barred.metric = 4278198272;
  for (const RouteState& route : {v4, v6, barred}) here.apply(PutRoute{route});
  v4.gateway = IpAddress::parse("192.0.2.7");
  here.apply(PutRoute{v4});  // replaced, not added
  std::vector<RouteState> ours;
  for (const RouteState& route : here.read().routes) {
    if (route.protocol == kOurProtocol) ours.push_back(route);
  }
  CHECK(ours == std::vector<RouteState>{v4, v6, barred});
  for (const RouteState& route : {v4, v6, barred}) here.apply(RemoveRoute{route});
  CHECK(run("ip route show table 51110; ip -6 route show table 51110").empty());
}

TEST_CASE("links: the kernel's own words come with a refusal") {
  if (!enter_own_net()) return;
  Net here;
  const Error unknown = here.refusal(PutRoute{by_nexthop("10.88.0.0/24", 51100, 77)});
  CHECK(unknown.kind == ErrorKind::refused);
  CHECK(unknown.text ==
        "ip -4 route replace 10.88.0.0/24 nhid 77 table 51100: Invalid argument (Nexthop id does "
        "not exist)");
  CHECK(here.refusal(PutNexthop{group(5, {6})}).text.find("(") != std::string::npos);
}

TEST_CASE("links: what belongs to others is neither put nor removed") {
  if (!enter_own_net()) return;
  run("ip link add dev a type veth peer name a2; ip link set dev a up; ip link set dev a2 up");
  run("ip route add 10.9.0.0/16 dev a proto static; ip rule add fwmark 1 table 7 protocol 5");
  Net here;
  RouteState route;
  route.to = net("10.9.0.0/16");
  route.link = here.link("a").index;
  here.apply(RemoveRoute{route});  // taken as ours, and there is no such one of ours
  route.protocol = 4;
  CHECK(here.refusal(RemoveRoute{route}).text.find("somebody else") != std::string::npos);
  CHECK(here.refusal(PutRoute{route}).kind == ErrorKind::refused);
  RuleState rule;
  rule.priority = 32765;
  rule.table = 7;
  rule.mark = 1;
  rule.mask = 0xffffffff;
  here.apply(RemoveRule{rule});
  rule.protocol = 5;
  CHECK(here.refusal(RemoveRule{rule}).kind == ErrorKind::refused);
  NexthopState nexthop = onto(9, here.link("a").index);
  nexthop.protocol = 4;
  CHECK(here.refusal(PutNexthop{nexthop}).kind == ErrorKind::refused);
  CHECK(run("ip route show 10.9.0.0/16").find("proto static") != std::string::npos);
  CHECK(run("ip rule show priority 32765").find("lookup 7") != std::string::npos);
}
