// That our messages mean what ip(8) means: the same network is built twice, by us and by ip, each
// in a namespace of its own, and ip must show the same of both.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "drivers/netlink/kernel_links.h"
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

struct Step {
  const char* ip;
  NetworkChange ours;
};

RouteState route_of(std::string_view to, uint32_t table) {
  RouteState route;
  route.to = net(to);
  route.family = route.to.address.family;
  route.table = table;
  return route;
}

RouteState inner() {
  RouteState route = route_of("10.88.0.0/24", 51100);
  route.nexthop = 2000;
  route.source = net("10.88.0.2/32").address;
  return route;
}

RouteState last_resort(std::string_view to) {
  RouteState route = route_of(to, 51100);
  route.kind = RouteKind::unreachable;
  route.metric = 4278198272;
  return route;
}

RouteState by_gateway(std::string_view to, std::string_view gateway, int link) {
  RouteState route = route_of(to, 51110);
  route.gateway = IpAddress::parse(gateway);
  route.link = link;
  route.metric = 50;
  return route;
}

RuleState rule_of(uint32_t priority, uint32_t table, uint32_t mark, const char* to = nullptr) {
  RuleState rule;
  rule.priority = priority;
  rule.table = table;
  rule.mark = mark;
  rule.mask = mark == 0 ? 0 : 0xff000000;
  if (to != nullptr) rule.to = net(to);
  return rule;
}

NexthopState nexthop(uint32_t id, int link, std::vector<uint32_t> group = {}) {
  return {id, IpAddress::Family::v4, link, std::move(group), kOurProtocol};
}

// Links by number: lo 1, a2 2, a 3, b2 4, b 5.
constexpr int kA = 3;
constexpr int kB = 5;

std::vector<Step> steps() {
  RouteState direct = route_of("10.7.0.0/16", kMainTable);
  direct.link = kA;
  RouteState hole = route_of("10.9.0.0/16", 51100);
  hole.kind = RouteKind::blackhole;
  return {
      {"link set dev a mtu 1412 up", SetLink{kA, true, 1412}},
      {"addr add 10.88.0.2/32 dev lo", AddAddress{1, net("10.88.0.2/32")}},
      {"addr add 192.0.2.2/24 dev a", AddAddress{kA, net("192.0.2.2/24")}},
      {"addr add 192.0.2.9/24 dev a", AddAddress{kA, net("192.0.2.9/24")}},
      {"addr del 192.0.2.9/24 dev a", RemoveAddress{kA, net("192.0.2.9/24")}},
      {"nexthop replace id 1001 dev a proto 199", PutNexthop{nexthop(1001, kA)}},
      {"nexthop replace id 1002 dev b proto 199", PutNexthop{nexthop(1002, kB)}},
      {"nexthop replace id 1003 dev b proto 199", PutNexthop{nexthop(1003, kB)}},
      {"nexthop del id 1003", RemoveNexthop{1003}},
      {"nexthop replace id 2000 group 1001 proto 199", PutNexthop{nexthop(2000, 0, {1001})}},
      {"nexthop replace id 2000 group 1002/1001 proto 199",
       PutNexthop{nexthop(2000, 0, {1002, 1001})}},
      {"route replace 10.88.0.0/24 nhid 2000 src 10.88.0.2 proto 199 table 51100",
       PutRoute{inner()}},
      {"route replace unreachable default metric 4278198272 proto 199 table 51100",
       PutRoute{last_resort("0.0.0.0/0")}},
      {"-6 route replace unreachable default metric 4278198272 proto 199 table 51100",
       PutRoute{last_resort("::/0")}},
      {"route replace default via 192.0.2.1 dev a metric 50 proto 199 table 51110",
       PutRoute{by_gateway("0.0.0.0/0", "192.0.2.1", kA)}},
      {"route replace 10.7.0.0/16 dev a proto 199", PutRoute{direct}},
      {"route replace blackhole 10.9.0.0/16 proto 199 table 51100", PutRoute{hole}},
      {"route del blackhole 10.9.0.0/16 proto 199 table 51100", RemoveRoute{hole}},
      {"rule add priority 5120 fwmark 0x2000000/0xff000000 lookup 51101 protocol 199",
       AddRule{rule_of(5120, 51101, 0x02000000)}},
      {"rule add priority 5130 to 10.88.0.0/24 lookup 51100 protocol 199",
       AddRule{rule_of(5130, 51100, 0, "10.88.0.0/24")}},
      {"rule add priority 5131 to 10.89.0.0/24 lookup 51100 protocol 199",
       AddRule{rule_of(5131, 51100, 0, "10.89.0.0/24")}},
      {"rule del priority 5131 to 10.89.0.0/24 lookup 51100 protocol 199",
       RemoveRule{rule_of(5131, 51100, 0, "10.89.0.0/24")}},
      {"-6 rule add priority 5120 fwmark 0x2000000/0xff000000 lookup 51101 protocol 199",
       AddRule{[] {
         RuleState rule = rule_of(5120, 51101, 0x02000000);
         rule.family = IpAddress::Family::v6;
         return rule;
       }()}},
      {"link set dev b down", SetLink{kB, false, 0}},
  };
}

std::string shown() {
  return run(
      "ip -d -j nexthop; echo; ip -d -j route show table all; echo;"
      "ip -d -j -6 route show table all; echo; ip -d -j rule; echo; ip -d -j -6 rule; echo;"
      "ip -j -4 addr; echo; ip -o link show dev a | grep -o 'mtu [0-9]*'");
}

}  // namespace

TEST_CASE("same as ip: the network that our messages build is the one that ip builds") {
  if (!enter_own_net()) return;
  make_two_wires();
  REQUIRE(run("ip -o link show dev a").rfind("3: a@", 0) == 0);
  REQUIRE(run("ip -o link show dev b").rfind("5: b@", 0) == 0);
  for (const Step& step : steps()) run(std::string("ip ") + step.ip);
  const std::string by_ip = shown();
  REQUIRE(enter_own_net());
  make_two_wires();
  World world;
  KernelLinks links(world.loop);
  for (const Step& step : steps()) {
    INFO(step.ip);
    CHECK(links.apply(step.ours));
  }
  const std::string by_us = shown();
  CHECK(by_us == by_ip);
  CHECK(by_ip.find("\"gateway\":\"192.0.2.1\"") != std::string::npos);  // it is no empty picture
  CHECK(by_ip.find("\"nhid\":2000") != std::string::npos);
}
