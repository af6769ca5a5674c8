// Whatever state the machine is in, the changes lead to the wanted one, never by way of a leak, and
// touch nothing that is not ours.
#include "firmware/tunnel/difference.h"

#include "tests/script/memory.h"
#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

namespace {

std::vector<PathWish> wishes(const std::vector<int>& numbers) {
  std::vector<PathWish> out;
  for (const int number : numbers) {
    PathWish wish;
    wish.number = number;
    wish.endpoint = IpEndpoint{ip("192.0.2.1"), 51820};
    out.push_back(wish);
  }
  return out;
}

Wanted want(const Membership& membership, const ports::NetworkState& network,
            const std::vector<int>& numbers, ChosenPaths chosen) {
  const auto uplinks = uplinks_seen(network, {});
  WantedInput input;
  input.membership = &membership;
  input.uplinks = &uplinks;
  input.network = &network;
  input.paths = wishes(numbers);
  input.chosen = chosen;
  return wanted_state(input);
}

bool leaks(const KernelModel& kernel, const Membership& membership) {
  for (const IpPrefix& prefix : membership.prefixes) {
    IpAddress to = prefix.address;
    to.bytes[3] = 77;
    for (const uint32_t mark :
         {0U, mark_of(TrafficClass::bulk), mark_of(TrafficClass::interactive)}) {
      const auto by = kernel.leaves_by(to, mark);
      if (by && !is_our_interface(*by)) return true;
    }
  }
  return false;
}

std::vector<ports::RouteState> foreign(const ports::NetworkState& state) {
  auto out = state.routes;
  std::erase_if(out, [](const auto& one) { return one.protocol == ports::kOurProtocol; });
  return out;
}

// Applies all of it; what leaked before may leak until it does not, and never again.
void converge_to(KernelModel& kernel, const Wanted& wanted, const Membership& membership) {
  bool leaked = leaks(kernel, membership);
  const auto untouched = foreign(kernel.state());
  for (const auto& change : difference(wanted, kernel.state())) {
    kernel.apply(change);
    CHECK_FALSE(kernel.refused);
    const bool now = leaks(kernel, membership);
    CHECK((leaked || !now));
    leaked = now;
  }
  CHECK_FALSE(leaked);
  CHECK(foreign(kernel.state()) == untouched);
  CHECK(difference(wanted, kernel.state()).empty());
}

// Leftovers of an earlier run, or of an accident, all of our protocol.
void litter(ports::NetworkState& state, script::SimRandom& random) {
  const int things = random.below(6);
  for (int i = 0; i < things; ++i) {
    ports::RouteState old;
    old.protocol = ports::kOurProtocol;
    old.table = random.below(2) == 0 ? table_of(TrafficClass::bulk) : uplink_table(random.below(4));
    old.to = random.below(2) == 0 ? net("10.88.0.0/24") : net("172.16.0.0/12");
    old.link = 2 + random.below(2);
    old.metric = static_cast<uint32_t>(random.below(3));
    const bool taken = std::any_of(state.routes.begin(), state.routes.end(), [&](const auto& one) {
      return one.table == old.table && one.to == old.to && one.metric == old.metric;
    });
    if (!taken) state.routes.push_back(old);
    ports::RuleState rule;
    rule.protocol = ports::kOurProtocol;
    rule.priority = static_cast<uint32_t>(5100 + random.below(40));
    rule.table = table_of(TrafficClass::bulk);
    if (random.below(2) == 0) rule.to = net("10.90.0.0/16");
    rule.mark = 0x05000000;
    rule.mask = kMarkMask;
    if (std::find(state.rules.begin(), state.rules.end(), rule) == state.rules.end()) {
      state.rules.push_back(rule);
    }
  }
  if (random.below(2) == 0) {
    ports::NexthopState nexthop;
    nexthop.id = nexthop_of(9);
    nexthop.link = 2;
    nexthop.protocol = ports::kOurProtocol;
    state.nexthops.push_back(nexthop);
    if (random.below(2) == 0) {
      nexthop.id = group_of(TrafficClass::bulk);
      nexthop.link = 0;
      nexthop.group = {nexthop_of(9)};
      state.nexthops.push_back(nexthop);
      ports::RouteState by_group;
      by_group.protocol = ports::kOurProtocol;
      by_group.table = table_of(TrafficClass::bulk);
      by_group.to = net("10.89.0.0/16");
      by_group.nexthop = nexthop.id;
      std::erase_if(state.routes, [&](const auto& one) {
        return one.table == by_group.table && one.to == by_group.to && one.metric == 0;
      });
      state.routes.push_back(by_group);
    }
  }
}

}  // namespace

TEST_CASE("difference: from nothing to two paths, and a second look finds nothing to do") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  open_path(network, 0);
  open_path(network, 2);
  KernelModel kernel(network);
  CHECK(leaks(kernel, membership));  // before: by the default route
  const Wanted wanted = want(membership, network, {0, 2}, {0, 2});
  converge_to(kernel, wanted, membership);
  CHECK(kernel.leaves_by(ip("10.88.0.9"), 0) == "slw0");
  CHECK(kernel.leaves_by(ip("10.89.1.1"), mark_of(TrafficClass::bulk)) == "slw2");
  CHECK(kernel.leaves_by(ip("192.0.2.1"), uplink_mark(0)) == "wan0");
  CHECK(kernel.leaves_by(ip("192.0.2.1"), uplink_mark(1)) == "wan1");
  CHECK(kernel.leaves_by(ip("192.0.2.1"), 0) == "wan0");
}

TEST_CASE("difference: the unreachable defaults and the network's rules come before all else") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  open_path(network, 0);
  KernelModel kernel(network);
  const auto changes = difference(want(membership, network, {0}, {0, 0}), network);
  size_t steps = 0;
  while (leaks(kernel, membership)) kernel.apply(changes.at(steps++));
  size_t guards = 0;
  for (const auto& change : changes) {
    const auto* put = std::get_if<ports::PutRoute>(&change);
    const auto* rule = std::get_if<ports::AddRule>(&change);
    const bool guard =
        (put != nullptr && put->route.kind == ports::RouteKind::unreachable) || rule != nullptr;
    if (!guard) break;
    ++guards;
  }
  CHECK(steps <= guards);
}

TEST_CASE("difference: a switch is one change, and the same as the fast way's") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  open_path(network, 0);
  open_path(network, 1);
  KernelModel kernel(network);
  converge_to(kernel, want(membership, network, {0, 1}, {0, 0}), membership);
  const auto changes = difference(want(membership, kernel.state(), {0, 1}, {1, 0}), kernel.state());
  REQUIRE(changes.size() == 1);
  const auto fast = switch_change(TrafficClass::interactive, 1, kernel.state());
  REQUIRE(fast);
  CHECK(std::get<ports::PutNexthop>(*fast).nexthop ==
        std::get<ports::PutNexthop>(changes[0]).nexthop);
  kernel.apply(*fast);
  CHECK(kernel.leaves_by(ip("10.88.0.9"), 0) == "slw1");
  CHECK(kernel.leaves_by(ip("10.88.0.9"), mark_of(TrafficClass::bulk)) == "slw0");
  CHECK_FALSE(switch_change(TrafficClass::interactive, 7, kernel.state()));
}

TEST_CASE("difference: traffic is held to what was proven to pass") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  open_path(network, 0);
  const auto uplinks = uplinks_seen(network, {});
  WantedInput input{&membership, &uplinks, &network, wishes({0}), {0, 0}};
  input.paths[0].mtu = 1420;
  input.routes_mtu = 1340;
  const Wanted wanted = wanted_state(input);
  CHECK(wanted.links.at(0).mtu == 1420);
  int held = 0;
  for (const auto& route : wanted.routes) {
    if (route.nexthop == 0) continue;
    CHECK(route.mtu == 1340);
    ++held;
  }
  CHECK(held == 4);
}

TEST_CASE("difference: two routers on one uplink do not keep it busy") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  network.routes.push_back(route("::/0", 2, "fe80::1", 1024));
  network.routes.push_back(route("::/0", 2, "fe80::2", 1024));
  KernelModel kernel(network);
  converge_to(kernel, want(membership, network, {}, {}), membership);
}

TEST_CASE("difference: without a chosen path the network is unreachable, not elsewhere") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  open_path(network, 0);
  KernelModel kernel(network);
  converge_to(kernel, want(membership, network, {0}, {0, 0}), membership);
  converge_to(kernel, want(membership, kernel.state(), {0}, {}), membership);
  CHECK_FALSE(kernel.leaves_by(ip("10.88.0.9"), 0).has_value());
  CHECK(kernel.leaves_by(ip("10.88.0.1"), 0) == "slw0");  // the probe address, by its interface
}

TEST_CASE("difference: who has left has nothing of it in the kernel") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  open_path(network, 0);
  KernelModel kernel(network);
  converge_to(kernel, want(membership, network, {0}, {0, 0}), membership);
  for (const auto& change : difference(Wanted(), kernel.state())) kernel.apply(change);
  CHECK(kernel.state().rules.empty());
  CHECK(kernel.state().nexthops.empty());
  CHECK(kernel.state().routes == machine().routes);
  CHECK(stray_interfaces(Wanted(), kernel.state()) == std::vector<std::string>{"slw0"});
}

TEST_CASE("difference: random machines and wishes converge without a leak") {
  const Membership membership = member();
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    script::SimRandom random(seed);
    ports::NetworkState network = machine();
    std::vector<int> up;
    for (int number = 0; number < 4; ++number) {
      if (random.below(3) > 0) open_path(network, number);
      if (random.below(3) > 0) up.push_back(number);
    }
    litter(network, random);
    KernelModel kernel(network);
    for (int round = 0; round < 4; ++round) {
      ChosenPaths chosen;
      for (auto& one : chosen) {
        if (random.below(4) > 0) one = random.below(4);
      }
      if (random.below(3) == 0) up = {random.below(4)};
      converge_to(kernel, want(membership, kernel.state(), up, chosen), membership);
    }
  }
}

TEST_CASE("difference: what is not ours stays, though it looks alike") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  ports::RuleState other;
  other.priority = kUplinkRulePriority;
  other.table = uplink_table(0);
  other.protocol = 3;
  network.rules.push_back(other);
  network.links.push_back({40, "slwan", "veth", false, true, false, 1500, {net("10.9.9.9/24")}});
  network.links.push_back({41, "slw16", "tun", false, true, false, 1500, {}});
  const auto changes = difference(want(membership, network, {0}, {}), network);
  for (const auto& change : changes) {
    CHECK_FALSE(std::holds_alternative<ports::RemoveRule>(change));
    CHECK_FALSE(std::holds_alternative<ports::SetLink>(change));
    CHECK_FALSE(std::holds_alternative<ports::RemoveAddress>(change));
    CHECK_FALSE(std::holds_alternative<ports::RemoveLink>(change));
  }
  CHECK(stray_interfaces(Wanted(), network).empty());
  CHECK(is_our_interface("slw15"));
  CHECK_FALSE(is_our_interface("slw01"));
  CHECK_FALSE(is_our_interface("slw-1"));
  CHECK_FALSE(is_our_interface("slw"));
}

TEST_CASE("difference: an unreachable IPv6 default that the kernel shows on lo is the wanted one") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  const Wanted wanted = want(membership, network, {}, {});
  KernelModel kernel(network);
  converge_to(kernel, wanted, membership);
  ports::NetworkState shown = kernel.state();
  for (auto& route : shown.routes) {
    if (route.kind == ports::RouteKind::unreachable && route.family == IpAddress::Family::v6) {
      route.link = 1;
    }
  }
  CHECK(difference(wanted, shown).empty());
}
