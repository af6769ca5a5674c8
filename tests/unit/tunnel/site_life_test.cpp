// The site's tunnels over their life: restarts, settings, leaving, keys, uplinks that come and go.
#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

namespace {

constexpr TrafficClass kInteractive = TrafficClass::interactive;

bool is_removal(const ports::NetworkChange& change) {
  return std::holds_alternative<ports::RemoveAddress>(change) ||
         std::holds_alternative<ports::RemoveRoute>(change) ||
         std::holds_alternative<ports::RemoveRule>(change) ||
         std::holds_alternative<ports::RemoveNexthop>(change) ||
         std::holds_alternative<ports::RemoveLink>(change);
}

// What is ours in the kernel, in words; empty: nothing.
std::string ours(const World& world) {
  std::string out;
  const ports::NetworkState& state = world.links.state();
  for (const auto& one : state.links) {
    if (one.name.starts_with("slw")) out += one.name + " ";
  }
  for (const auto& one : state.routes) {
    if (one.protocol == ports::kOurProtocol) out += "route " + one.to.text() + " ";
  }
  if (!state.rules.empty()) out += "rules ";
  if (!state.nexthops.empty()) out += "nexthops ";
  return out + (world.programs.belt ? "belt" : "");
}

ports::WgKey key_of(const World& world, const char* interface) {
  return world.wireguard.devices.at(interface).state.public_key;
}

void set_default_routes(World& world, const std::vector<ports::RouteState>& routes) {
  world.links.edit([&](ports::NetworkState& state) {
    std::erase_if(state.routes, [](const auto& one) {
      return one.to.length == 0 && one.protocol != ports::kOurProtocol;
    });
    state.routes.insert(state.routes.end(), routes.begin(), routes.end());
  });
}

}  // namespace

TEST_CASE("site: a restart takes everything over; nothing is torn down, not a packet is refused") {
  World world;
  world.settle_in();
  world.site->stop();
  world.pass(Duration::seconds(2));
  CHECK(world.by(kInteractive) == "slw0");  // the kernel goes on without us
  const int joins = world.op.count("POST /v1/join");
  const uint64_t switches = world.site->tunnels().switches_total;
  world.restart();
  bool carried = true;
  world.links.after_change = [&] {
    carried =
        carried && world.by(kInteractive).has_value() && world.by(TrafficClass::bulk).has_value();
  };
  const auto known = world.until([&] { return world.carries(); }, Duration::seconds(3));
  REQUIRE(known);
  CHECK(*known < Duration::seconds(1));
  world.pass(Duration::seconds(60));
  CHECK(carried);
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(std::none_of(world.links.changes.begin(), world.links.changes.end(), is_removal));
  CHECK(world.wireguard.changes.empty());
  CHECK(world.wireguard.removed.empty());
  CHECK(world.op.count("POST /v1/join") == joins);
  CHECK(world.op.count("PUT ") == 1);
  CHECK(world.site->tunnels().switches_total == switches);
}

TEST_CASE("site: a start before the uplinks are up keeps their paths, keys and numbers") {
  World world;
  world.settle_in();
  const std::string before = world.files.files.at("state/tunnel/membership.json");
  std::vector<ports::RouteState> defaults;
  for (const auto& one : world.links.state().routes) {
    if (one.to.length == 0 && one.protocol != ports::kOurProtocol) defaults.push_back(one);
  }
  REQUIRE(defaults.size() == 2);
  world.site->stop();
  set_default_routes(world, {});
  world.restart();
  world.pass(Duration::seconds(30));
  CHECK(world.files.files.at("state/tunnel/membership.json") == before);
  CHECK(world.op.count("PUT ") == 1);
  CHECK(world.path("wan0/north/udp4").trouble.find("default route") != std::string::npos);
  CHECK_FALSE(world.carries());
  // wan1 is first now; numbers and marks stay all the same.
  set_default_routes(world, {defaults[1]});
  const auto up = world.until([&] { return world.carries(); }, Duration::seconds(5));
  REQUIRE(up);
  CHECK(*up < Duration::ms(1500));
  CHECK(world.by(kInteractive) == "slw1");
  CHECK(world.wireguard.devices.at("slw1").state.mark == uplink_mark(1));
  set_default_routes(world, defaults);
  world.pass(Duration::seconds(90));
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.op.count("PUT ") == 1);
  CHECK(world.leaks == 0);
}

TEST_CASE("site: an interface that stays away gives its path up after a while") {
  World world;
  world.settle_in();
  world.links.remove_link("wan1");
  world.pass(Duration::seconds(590));
  CHECK(world.path("wan1/north/udp4").name.uplink == "wan1");
  CHECK(world.op.count("PUT ") == 1);
  world.pass(Duration::seconds(20));
  CHECK(world.path("wan1/north/udp4").name.uplink.empty());
  CHECK(world.op.count("PUT ") == 2);
  CHECK(world.wireguard.removed == std::vector<std::string>{"slw1"});
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.by(TrafficClass::bulk) == "slw0");
  CHECK(world.leaks == 0);
}

TEST_CASE("site: an uplink that appears gets paths of its own") {
  ports::NetworkState machine = converge::machine();
  std::erase_if(machine.links, [](const auto& one) { return one.name == "wan1"; });
  std::erase_if(machine.routes, [](const auto& one) { return one.link == 3; });
  World world(machine);
  world.settle_in();
  world.links.edit([](ports::NetworkState& state) {
    const ports::NetworkState whole = converge::machine();
    state.links.push_back(whole.links[2]);
    for (const auto& route : whole.routes) {
      if (route.link == 3) state.routes.push_back(route);
    }
  });
  const auto up = world.until(
      [&] { return world.path("wan1/north/udp4").state == PathState::good; }, Duration::seconds(5));
  REQUIRE(up);
  CHECK(*up < Duration::seconds(1));
  CHECK(world.op.count("PUT ") == 2);
  CHECK(world.by(kInteractive) == "slw0");
}

// What was said of the nodes behind the tunnels while they are off: they are not to be asked by the
// default route.
TEST_CASE(
    "site: tunnels switched off lead nowhere, in clear least of all; on again they are back") {
  World world;
  world.settle_in();
  world.settings.on = false;
  world.site->configure(world.settings);
  world.pass(Duration::seconds(2));
  const std::string guard = ours(world);
  CHECK(guard == "route 0.0.0.0/0 route 0.0.0.0/0 rules belt");
  CHECK(world.wireguard.devices.empty());
  CHECK_FALSE(world.by(kInteractive));
  CHECK_FALSE(world.by(TrafficClass::bulk));
  CHECK(world.site->is_behind(tunnel_test::ip("10.88.0.9")));
  REQUIRE(world.told.back().carriage);
  CHECK_FALSE(world.told.back().carriage->carries);
  CHECK(world.told.back().carriage->why.en.find("switched off") != std::string::npos);
  CHECK(world.findings().find("tunnel.mode") != std::string::npos);
  CHECK(world.op.count("DELETE") == 0);
  world.pass(Duration::seconds(30));
  CHECK(ours(world) == guard);
  SUBCASE("also after a restart, and when somebody takes the rules away") {
    world.restart();
    CHECK(ours(world) == guard);
    world.guarded = false;  // for the moment in which they are gone
    world.links.edit([](ports::NetworkState& state) { state.rules.clear(); });
    world.pass(SiteTunnels::kLookEvery);
    world.guarded = true;
    CHECK(ours(world) == guard);
    CHECK_FALSE(world.by(kInteractive));
  }
  world.settings.on = true;
  world.site->configure(world.settings);
  const auto up = world.until([&] { return world.carries(); }, Duration::seconds(5));
  REQUIRE(up);
  CHECK(*up < Duration::ms(1500));
  CHECK(world.op.count("PUT ") == 1);  // with the keys that it had
  world.pass(Duration::seconds(2));
  CHECK(world.programs.belt);
  CHECK(world.findings().empty());
  CHECK(world.leaks == 0);
}

TEST_CASE("site: a network is not left while nodes of the settings lie in it") {
  World world;
  world.settle_in();
  world.settings.nodes = {{"far", tunnel_test::ip("10.88.0.50")},
                          {"public", tunnel_test::ip("192.0.2.77")}};
  world.site->configure(world.settings);
  std::optional<Result<void>> left;
  const auto note = [&left](Result<void> result) { left = std::move(result); };
  world.site->leave("test", note);
  REQUIRE(left);
  REQUIRE_FALSE(left->has_value());
  CHECK(left->error().kind == ErrorKind::refused);
  CHECK(left->error().text.find("far (10.88.0.50);") != std::string::npos);
  world.pass(Duration::seconds(3));
  CHECK(world.carries());
  CHECK(world.op.count("DELETE") == 0);
  world.settings.nodes.erase(world.settings.nodes.begin());
  world.site->configure(world.settings);
  world.guarded = false;
  world.site->leave("test", note);
  world.pass(Duration::seconds(3));
  CHECK(left->has_value());
  CHECK(ours(world).empty());
}

TEST_CASE("site: a box that leaves is forgotten on both sides, and may join again") {
  World world;
  world.settle_in();
  world.guarded = false;
  std::optional<Result<void>> left;
  world.site->leave("test", [&left](Result<void> result) { left = std::move(result); });
  CHECK_FALSE(world.site->carriage(kInteractive));
  world.pass(Duration::seconds(3));
  REQUIRE(left);
  CHECK(left->has_value());
  CHECK(world.op.count("DELETE /v1/boxes/00112233445566aa") == 1);
  CHECK(ours(world).empty());
  CHECK_FALSE(world.files.files.contains("state/tunnel/membership.json"));
  const int reads = world.links.reads;
  world.pass(Duration::seconds(60));
  CHECK(world.links.reads <= reads + 1);  // a box without a network looks at nothing
  world.join();
  CHECK(world.until([&] { return world.carries(); }, Duration::seconds(5)));
}

TEST_CASE("site: leaving is done though the operator is not reached, and it is said") {
  World world;
  world.settle_in();
  world.guarded = false;
  world.op.down = true;
  std::optional<Result<void>> left;
  world.site->leave("test", [&left](Result<void> result) { left = std::move(result); });
  world.pass(Duration::seconds(5));
  CHECK(ours(world).empty());
  std::optional<Result<void>> joined;
  world.site->join({"http://127.0.0.1:8080", "tok-2", ""}, "test",
                   [&joined](Result<void> result) { joined = std::move(result); });
  world.timers.settle();
  REQUIRE(joined);
  CHECK(joined->error().kind == ErrorKind::busy);  // the operator is still being told
  world.pass(Duration::seconds(300));
  REQUIRE(left);
  REQUIRE_FALSE(left->has_value());
  CHECK(left->error().text.find("has left") != std::string::npos);
}

TEST_CASE("site: keys change one path at a time, and traffic leaves a path before its key does") {
  World world;
  world.settle_in();
  const ports::WgKey first = key_of(world, "slw0");
  const ports::WgKey second = key_of(world, "slw1");
  bool asked = false;
  world.site->rotate("test", [&asked](const Result<void>& done) { asked = done.has_value(); });
  CHECK(asked);
  bool together = false;
  bool under_traffic = false;
  ports::WgKey known0 = first;
  ports::WgKey known1 = second;
  world.links.after_change = nullptr;
  world.timers.after_each_turn([&] {
    const bool moved0 = std::exchange(known0, key_of(world, "slw0")) != key_of(world, "slw0");
    const bool moved1 = std::exchange(known1, key_of(world, "slw1")) != key_of(world, "slw1");
    together = together || (moved0 && moved1);
    under_traffic =
        under_traffic ||
        (moved0 && (world.by(kInteractive) == "slw0" || world.by(TrafficClass::bulk) == "slw0"));
    under_traffic =
        under_traffic ||
        (moved1 && (world.by(kInteractive) == "slw1" || world.by(TrafficClass::bulk) == "slw1"));
  });
  world.pass(Duration::seconds(200));
  world.timers.after_each_turn(nullptr);
  CHECK(key_of(world, "slw0") != first);
  CHECK(key_of(world, "slw1") != second);
  CHECK_FALSE(together);
  CHECK_FALSE(under_traffic);
  CHECK(world.op.count("PUT ") == 3);
  CHECK(world.carries());
  CHECK(world.by(kInteractive) == "slw0");  // and back
  const ports::WgKey rotated = key_of(world, "slw0");
  SUBCASE("a date that is set back afterwards does not ask again and again") {
    world.date.ahead = Duration::seconds(-30);
    world.pass(Duration::seconds(300));
    CHECK(world.op.count("PUT ") <= 5);
  }
  SUBCASE("and no more than once") {
    world.pass(Duration::seconds(3600));
    CHECK(key_of(world, "slw0") == rotated);
  }
}

TEST_CASE("site: without failover a key changes where it is, since traffic does not move for it") {
  World world;
  world.settings.failover = false;
  world.settle_in();
  const ports::WgKey first = world.wireguard.devices.at("slw0").state.public_key;
  world.site->rotate("test", [](const Result<void>&) {});
  world.pass(Duration::seconds(120));
  CHECK(world.wireguard.devices.at("slw0").state.public_key != first);
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.carries());
}

TEST_CASE("site: a plan that the operator changes is followed without a new join") {
  World world;
  world.settle_in();
  world.op.prefixes.push_back("10.89.0.0/16");
  world.op.address = "10.88.0.7";
  world.op.pops["south"] = "198.51.100.1";
  world.pass(Duration::seconds(3700));
  CHECK(world.site->is_behind(tunnel_test::ip("10.89.1.1")));
  CHECK(world.links.leaves_by(tunnel_test::ip("10.89.1.1"), 0) == "slw0");
  CHECK(world.links.link("slw0")->addresses ==
        std::vector<IpPrefix>{tunnel_test::net("10.88.0.7/32")});
  CHECK(world.path("wan0/south/udp4").state == PathState::good);
  CHECK(world.path("wan0/north/udp4").state == PathState::good);
  world.op.pops.erase("north");
  world.pass(Duration::seconds(3700));
  CHECK(world.path("wan0/north/udp4").name.pop.empty());
  CHECK(world.carries());
  CHECK(world.chosen() == "wan0/south/udp4");
  CHECK(world.leaks == 0);
}

TEST_CASE("site: an interface that somebody removes is made anew within two seconds") {
  World world;
  world.settle_in();
  world.wireguard.devices.erase("slw0");
  world.links.remove_link("slw0");
  const auto moved =
      world.until([&] { return world.by(kInteractive) == "slw1"; }, Duration::seconds(2));
  REQUIRE(moved);
  CHECK(*moved <= Duration::ms(500));
  const auto back = world.until(
      [&] { return world.path("wan0/north/udp4").state == PathState::good; }, Duration::seconds(5));
  REQUIRE(back);
  CHECK(*moved + *back <= Duration::seconds(2));
  CHECK(world.leaks == 0);
}

TEST_CASE("site: rules and routes that somebody flushes are there again in the same moment") {
  World world;
  world.settle_in();
  world.guarded = false;
  world.links.edit([](ports::NetworkState& state) {
    state.rules.clear();
    std::erase_if(state.routes,
                  [](const auto& one) { return one.protocol == ports::kOurProtocol; });
  });
  world.guarded = true;
  world.timers.settle();
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.by(TrafficClass::bulk) == "slw1");
}

TEST_CASE("site: a program that undoes every change is given up soon, and named") {
  World world;
  world.settle_in();
  world.guarded = false;
  bool busy = false;
  world.links.after_change = [&] {
    if (std::exchange(busy, true)) return;
    world.links.edit([](ports::NetworkState& state) { state.rules.clear(); });
    busy = false;
  };
  world.links.edit([](ports::NetworkState& state) { state.rules.clear(); });
  const int reads = world.links.reads;
  world.pass(Duration::ms(1900));
  CHECK(world.links.reads - reads <= 105);
  CHECK(world.findings().find("another program") != std::string::npos);
  world.links.after_change = nullptr;
  world.pass(Duration::seconds(2));
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.findings().empty());
}

TEST_CASE("site: a membership that cannot be read is said, kept, and what runs goes on") {
  World world;
  world.settle_in();
  world.site->stop();
  std::string& file = world.files.files.at("state/tunnel/membership.json");
  const std::string whole = file;
  file = file.substr(0, file.size() / 2);
  const std::string cut = file;
  world.restart();
  world.pass(Duration::seconds(30));
  CHECK(world.findings().find("join again") != std::string::npos);
  CHECK(world.links.changes.empty());
  CHECK(world.wireguard.removed.empty());
  CHECK(world.by(kInteractive) == "slw0");
  std::optional<Result<void>> joined;
  world.site->join({"http://127.0.0.1:8080", "tok-2", ""}, "test",
                   [&joined](Result<void> result) { joined = std::move(result); });
  world.pass(Duration::seconds(1));
  REQUIRE(joined);
  CHECK_FALSE(joined->has_value());
  CHECK(file == cut);                                         // not written over
  world.files.files["state/tunnel/membership.json"] = whole;  // somebody puts a copy back
  joined.reset();
  world.site->join({"http://127.0.0.1:8080", "tok-2", ""}, "test",
                   [&joined](Result<void> result) { joined = std::move(result); });
  world.pass(Duration::seconds(3));
  REQUIRE(joined);
  CHECK(joined->error().text.find("already") != std::string::npos);
  CHECK(world.carries());
}

TEST_CASE("site: a key that the operator could not be told of is told after a restart") {
  World world;
  world.settle_in();
  const ports::WgKey first = key_of(world, "slw0");
  const ports::WgKey second = key_of(world, "slw1");
  world.op.down = true;
  world.site->rotate("test", [](const Result<void>&) {});
  world.pass(Duration::seconds(30));
  CHECK(key_of(world, "slw0") == first);
  CHECK(key_of(world, "slw1") == second);
  CHECK(world.carries());  // with the keys that the PoP knows
  world.restart();
  world.pass(Duration::seconds(5));
  CHECK(world.carries());
  world.op.down = false;
  world.pass(Duration::seconds(120));
  CHECK(((key_of(world, "slw0") != first) !=
         (key_of(world, "slw1") != second)));  // the one that was begun
  CHECK(world.carries());
}
