// What the tunnel relies on: one message moves all traffic, a lost carrier is heard of, and what a
// killed daemon left behind is told apart from everything else.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
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

struct Ear final : LinksSink {
  int calls = 0;
  std::function<void()> changed;
  std::vector<int> links;  // of the last call
  void on_network_changed(const std::vector<int>& of) override {
    ++calls;
    links = of;
    if (changed) changed();
  }
};

NexthopState onto(uint32_t id, int link) { return {id, IpAddress::Family::v4, link, {}, 199}; }
NexthopState group(uint32_t id, std::vector<uint32_t> members) {
  return {id, IpAddress::Family::v4, 0, std::move(members), 199};
}

int index_of(const NetworkState& state, std::string_view name) {
  for (const LinkState& link : state.links) {
    if (link.name == name) return link.index;
  }
  FAIL("no such link");
  return 0;
}

bool carrier_of(const NetworkState& state, std::string_view name) {
  for (const LinkState& link : state.links) {
    if (link.name == name) return link.carrier;
  }
  return false;
}

bool has_nexthop(const NetworkState& state, uint32_t id) {
  return std::any_of(state.nexthops.begin(), state.nexthops.end(),
                     [id](const NexthopState& nexthop) { return nexthop.id == id; });
}

RouteState route_to(std::string_view to, uint32_t nexthop, uint32_t table = kMainTable) {
  RouteState route;
  route.to = net(to);
  route.table = table;
  route.nexthop = nexthop;
  route.protocol = kOurProtocol;
  return route;
}

// Two wires, a nexthop on each, three prefixes by one group.
void set_up(Links& links) {
  const auto state = links.read();
  REQUIRE(state);
  REQUIRE(links.apply(AddAddress{index_of(*state, "lo"), net("10.88.0.2/32")}));
  REQUIRE(links.apply(PutNexthop{onto(1, index_of(*state, "a"))}));
  REQUIRE(links.apply(PutNexthop{onto(2, index_of(*state, "b"))}));
  REQUIRE(links.apply(PutNexthop{group(9, {1})}));
  for (const char* to : {"10.88.0.1/32", "10.89.0.0/16", "10.90.0.0/16"}) {
    REQUIRE(links.apply(PutRoute{route_to(to, 9)}));
  }
}

// Packets that have left by this wire.
int sent_by(const std::string& wire) {
  return std::stoi(run("awk '$1 == \"" + wire + ":\" {print $11}' /proc/net/dev"));
}

void send_ten(const std::string& to) {
  run("bash -c 'for i in 1 2 3 4 5 6 7 8 9 10; do printf x > /dev/udp/" + to + "/9; done'");
}

}  // namespace

TEST_CASE("failover: replacing one group moves the packets of every prefix, in one message") {
  if (!enter_own_net()) return;
  make_two_wires();
  World world;
  KernelLinks links(world.loop);
  set_up(links);
  const auto path = [](const char* to) { return run(std::string("ip -o route get ") + to); };
  for (const char* to : {"10.88.0.1", "10.89.3.3", "10.90.3.3"}) {
    CHECK(path(to).find("dev a ") != std::string::npos);
  }
  REQUIRE(links.apply(PutNexthop{group(9, {2})}));
  for (const char* to : {"10.88.0.1", "10.89.3.3", "10.90.3.3"}) {
    CHECK(path(to).find("dev b ") != std::string::npos);
  }
  std::vector<std::chrono::nanoseconds> took;
  for (uint32_t i = 0; i < 101; ++i) {
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(links.apply(PutNexthop{group(9, {1 + i % 2})}));
    took.push_back(std::chrono::steady_clock::now() - start);
  }
  std::sort(took.begin(), took.end());
  MESSAGE("switch: median ", took[50].count() / 1000, " us, worst ", took[100].count() / 1000,
          " us");
  CHECK(took[50] < std::chrono::milliseconds(1));
}

TEST_CASE("failover: a running flow leaves by the other wire after the switch") {
  if (!enter_own_net()) return;
  make_two_wires();
  World world;
  KernelLinks links(world.loop);
  set_up(links);
  for (const char* wire : {"a", "b"}) {
    run(std::string("ip neigh add 10.88.0.1 lladdr 02:00:00:00:00:01 dev ") + wire);
  }
  const int a = sent_by("a");
  const int b = sent_by("b");
  send_ten("10.88.0.1");
  CHECK(sent_by("a") == a + 10);
  CHECK(sent_by("b") == b);
  REQUIRE(links.apply(PutNexthop{group(9, {2})}));
  send_ten("10.88.0.1");
  CHECK(sent_by("a") == a + 10);
  CHECK(sent_by("b") == b + 10);
}

TEST_CASE("watch: a lost carrier is heard, and the nexthop over it is gone") {
  if (!enter_own_net()) return;
  make_two_wires();
  World world;
  KernelLinks links(world.loop);
  set_up(links);
  Ear ear;
  links.watch(&ear);
  ear.changed = [&] {
    const auto state = links.read();
    REQUIRE(state);
    // The nexthop goes a moment after the carrier.
    if (!carrier_of(*state, "a") && !has_nexthop(*state, 1)) world.stop();
  };
  run("ip link set dev a2 down");
  world.run();
  const auto state = links.read();
  REQUIRE(state);
  CHECK(carrier_of(*state, "b"));
  CHECK(has_nexthop(*state, 2));
  links.watch(nullptr);
  world.settle();
}

TEST_CASE("watch: many changes of one moment are one call, and none comes after taking it away") {
  if (!enter_own_net()) return;
  make_two_wires();
  World world;
  KernelLinks links(world.loop);
  Ear ear;
  links.watch(&ear);
  set_up(links);  // more than ten changes
  world.settle();
  CHECK(ear.calls == 1);
  const auto state = links.read();
  REQUIRE(state);
  CHECK(ear.links == std::vector<int>{index_of(*state, "lo")});  // whose address is new
  ear.changed = [&] { links.watch(nullptr); };                   // which may end it
  run("ip link set dev b down");
  world.settle();
  CHECK(ear.calls == 2);
  CHECK(std::count(ear.links.begin(), ear.links.end(), index_of(*state, "b")) == 1);
  run("ip link set dev a down");
  world.settle();
  CHECK(ear.calls == 2);
}

TEST_CASE("watch: announcements that overflowed are a change too") {
  if (!enter_own_net()) return;
  make_two_wires();
  World world;
  KernelLinks links(world.loop);
  set_up(links);
  Ear ear;
  links.watch(&ear);
  std::string batch;
  for (int i = 0; i < 4000; ++i) {
    batch += "route replace 10.91." + std::to_string(i / 256) + "." + std::to_string(i % 256) +
             "/32 dev b\n";
  }
  FILE* pipe = popen("ip -batch -", "w");
  REQUIRE(pipe != nullptr);
  REQUIRE(fwrite(batch.data(), 1, batch.size(), pipe) == batch.size());
  REQUIRE(pclose(pipe) == 0);
  world.settle();
  CHECK(ear.calls >= 1);
  const auto state = links.read();
  REQUIRE(state);
  CHECK(state->routes.size() >= 4000);
  links.watch(nullptr);
  world.settle();
}

TEST_CASE("links: what a killed daemon left is exactly what carries our number") {
  if (!enter_own_net()) return;
  make_two_wires();
  run("ip route add 10.9.0.0/16 dev b proto static table 51100");
  run("ip rule add fwmark 1 table 7; ip nexthop add id 77 dev b");
  const std::string before = run("ip rule; ip nexthop; ip route show table all");
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    World world;
    KernelLinks links(world.loop);
    set_up(links);
    RouteState last = route_to("0.0.0.0/0", 0, 51100);
    last.kind = RouteKind::unreachable;
    RuleState rule;
    rule.priority = 5130;
    rule.table = 51100;
    rule.protocol = kOurProtocol;
    const bool made = links.apply(PutRoute{last}) && links.apply(AddRule{rule});
    if (made) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  World world;
  KernelLinks links(world.loop);
  const auto left = links.read();
  REQUIRE(left);
  CHECK(left->rules.size() == 1);
  CHECK(left->nexthops.size() == 3);
  int routes = 0;
  for (const RouteState& route : left->routes) {
    if (route.protocol != kOurProtocol) continue;
    ++routes;
    CHECK(links.apply(RemoveRoute{route}));
  }
  CHECK(routes == 4);
  for (const RuleState& rule : left->rules) CHECK(links.apply(RemoveRule{rule}));
  for (const NexthopState& nexthop : left->nexthops) CHECK(links.apply(RemoveNexthop{nexthop.id}));
  CHECK(links.apply(RemoveAddress{index_of(*left, "lo"), net("10.88.0.2/32")}));
  CHECK(run("ip rule; ip nexthop; ip route show table all") == before);
}
