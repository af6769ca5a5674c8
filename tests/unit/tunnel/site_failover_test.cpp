// Traffic moves before users notice: when, in virtual time, and what is left behind.
#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

namespace {

constexpr TrafficClass kInteractive = TrafficClass::interactive;

// How long ago the carriage was first told to carry nothing, before traffic had moved.
std::optional<Instant> first_told(const World& world, bool carries) {
  for (const World::Told& one : world.told) {
    if (one.carriage && one.carriage->carries == carries) return one.when;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("site: after joining, paths come up and traffic is chosen within a second and a half") {
  World world;
  world.start();
  world.pass(Duration::seconds(5));
  CHECK(world.links.changes.empty());  // a box without a network changes nothing
  CHECK(world.programs.runs.empty());
  CHECK_FALSE(world.site->carriage(kInteractive));
  world.site->join({"http://127.0.0.1:8080", "tok-1", ""}, "test", [](const Result<void>&) {});
  const auto up = world.until([&] { return world.carries(); }, Duration::seconds(5));
  REQUIRE(up);
  CHECK(*up < Duration::ms(1500));
  CHECK(world.site->is_behind(tunnel_test::ip("10.88.0.9")));
  CHECK_FALSE(world.site->is_behind(tunnel_test::ip("10.89.0.9")));
  world.pass(Duration::seconds(10));
  CHECK(world.chosen() == "wan0/north/udp4");
  CHECK(world.chosen(TrafficClass::bulk) == "wan1/north/udp4");  // beside interactive
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.by(TrafficClass::bulk) == "slw1");
  CHECK(world.path("wan1/north/udp4").state == PathState::good);
  CHECK(world.programs.belt);
  CHECK(world.findings().empty());
  const TunnelReport report = world.site->tunnels();
  CHECK(report.joined);
  CHECK(report.network == "lab");
  CHECK(report.address == "10.88.0.2");
  CHECK(report.backend == "model");
  // Nothing is done twice: the kernel is as it shall be.
  world.links.changes.clear();
  world.wireguard.changes.clear();
  world.pass(Duration::seconds(60));
  CHECK(world.links.changes.empty());
  CHECK(world.wireguard.changes.empty());
}

TEST_CASE("site: a black hole of the path in use moves traffic within 500 ms, whatever the phase") {
  Duration longest;
  for (int phase = 0; phase < 40; ++phase) {
    CAPTURE(phase);
    World world;
    world.settle_in();
    world.pass(Duration::ms(phase * 5));
    const Instant cut = world.clock.now();
    world.wires["wan0"].cut = true;
    const auto moved =
        world.until([&] { return world.by(kInteractive) == "slw1"; }, Duration::seconds(2));
    REQUIRE(moved);
    CHECK(*moved <= Duration::ms(500));
    longest = std::max(longest, *moved);
    // Those who send were told before the path was declared dead, and again when there was a way.
    const auto warned = first_told(world, false);
    REQUIRE(warned);
    CHECK(*warned < cut + *moved);
    CHECK(world.carries());
    CHECK(world.told.back().carriage->carries);
    CHECK(world.told.back().carriage->rtt >= Duration::ms(40));
    const SwitchView& record = world.last_switch();
    CHECK(record.from == "wan0/north/udp4");
    CHECK(record.to == "wan1/north/udp4");
    CHECK(record.gap >= *moved - Duration::ms(20));  // an answer was on its way
    CHECK(record.gap < *moved + Duration::ms(250));
    CHECK(record.packets_lost >= 5);
    CHECK(world.leaks == 0);
    CHECK(world.files.files.at("state/tunnel/switches.jsonl").find("unanswered") !=
          std::string::npos);
  }
  MESSAGE("longest: " << longest.as_ms() << " ms");
}

TEST_CASE("site: a lost carrier moves traffic in the turn in which it is known") {
  World world;
  world.settle_in();
  world.links.set_carrier("wan0", false);
  const Instant lost = world.clock.now();
  world.timers.settle();
  CHECK(world.clock.now() == lost);
  CHECK(world.by(kInteractive) == "slw1");
  CHECK(world.carries());
  CHECK(world.path("wan0/north/udp4").state == PathState::dead);
  CHECK(world.path("wan0/north/udp4").trouble.find("carrier") != std::string::npos);
  world.pass(Duration::seconds(2));
  CHECK(world.findings().find("wan0") != std::string::npos);
  world.links.set_carrier("wan0", true);
  const auto back = world.until(
      [&] { return world.path("wan0/north/udp4").state == PathState::good; }, Duration::seconds(2));
  REQUIRE(back);
  CHECK(*back <= Duration::ms(700));
  CHECK(world.by(kInteractive) == "slw1");  // not before it has been clean for a while
  world.pass(Duration::seconds(25));
  CHECK(world.by(kInteractive) == "slw1");
  world.pass(Duration::seconds(20));
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.leaks == 0);
}

TEST_CASE("site: an uplink with another address is on the air again after one round trip") {
  World world;
  world.settle_in();
  const uint64_t switches = world.site->tunnels().switches_total;
  world.links.edit([](ports::NetworkState& state) {
    for (auto& link : state.links) {
      if (link.name == "wan0") link.addresses = {tunnel_test::net("203.0.113.77/24")};
    }
  });
  const Instant renumbered = world.clock.now();
  world.timers.settle();
  REQUIRE(world.wireguard.changes.size() == 1);  // the endpoint again, and nothing else
  const ports::WgChange& change = world.wireguard.changes[0];
  CHECK(change.interface == "slw0");
  CHECK_FALSE(change.private_key);
  CHECK_FALSE(change.listen_port);
  REQUIRE(change.peers.size() == 1);
  CHECK(change.peers[0].update_only);
  CHECK(change.peers[0].endpoint == tunnel_test::at("192.0.2.1:51821"));
  world.pass(Duration::ms(60));
  CHECK(world.path("wan0/north/udp4").state == PathState::good);
  CHECK(*world.path("wan0/north/udp4").proof > renumbered);
  world.pass(Duration::seconds(5));
  CHECK(world.by(kInteractive) == "slw0");  // nothing moved
  CHECK(world.site->tunnels().switches_total == switches);
}

TEST_CASE(
    "site: when everything is dead traffic stays, is refused, leaks nowhere, and it is said") {
  World world;
  world.settle_in();
  world.wires["wan0"].cut = world.wires["wan1"].cut = true;
  const auto known = world.until(
      [&] {
        return world.path("wan0/north/udp4").state == PathState::dead &&
               world.path("wan1/north/udp4").state == PathState::dead;
      },
      Duration::seconds(2));
  REQUIRE(known);
  CHECK_FALSE(world.carries());
  const auto said = world.until([&] { return !world.findings().empty(); }, Duration::seconds(10));
  REQUIRE(said);
  CHECK(*said <= Duration::seconds(8));
  const auto carriage = world.site->carriage(kInteractive);
  REQUIRE(carriage);
  CHECK_FALSE(carriage->why.empty());
  world.pass(Duration::seconds(120));
  CHECK(world.by(kInteractive)->starts_with("slw"));
  CHECK(world.site->tunnels().switches_total <= 4);  // it does not jump about
  CHECK(world.leaks == 0);
  world.wires["wan1"].cut = false;
  const auto back = world.until([&] { return world.carries(); }, Duration::seconds(5));
  REQUIRE(back);
  CHECK(*back <= Duration::ms(2500));
  CHECK(world.by(kInteractive) == "slw1");
}

TEST_CASE("site: without failover traffic stays where it is (negative control)") {
  World world;
  world.settings.failover = false;
  world.settle_in();
  const uint64_t switches = world.site->tunnels().switches_total;
  world.wires["wan0"].cut = true;
  world.pass(Duration::seconds(60));
  CHECK(world.chosen() == "wan0/north/udp4");
  CHECK(world.by(kInteractive) == "slw0");
  CHECK_FALSE(world.carries());
  CHECK(world.site->tunnels().switches_total == switches);
  SUBCASE("and moves when it is switched on again") {
    world.settings.failover = true;
    world.site->configure(world.settings);
    world.pass(Duration::ms(10));
    CHECK(world.by(kInteractive) == "slw1");
  }
  SUBCASE("and does not go in circles when a better path has been held back before") {
    world.settings.failover = true;
    world.site->configure(world.settings);
    world.wires["wan0"].cut = false;
    world.pass(Duration::seconds(20));  // wan0 is preferred, and not clean long enough
    world.settings.failover = false;
    world.site->configure(world.settings);
    world.pass(Duration::seconds(120));  // the moment to choose again passes
    CHECK(world.by(kInteractive) == "slw1");
  }
}

TEST_CASE("site: a lost data plane moves traffic at once; it is configured whole when it is back") {
  World world;
  world.settle_in();
  world.wireguard.kill("slw0", *world.site);
  CHECK(world.by(kInteractive) == "slw1");  // in the same call
  CHECK(world.carries());
  world.pass(Duration::seconds(3));
  CHECK(world.path("wan0/north/udp4").trouble.find("started anew") != std::string::npos);
  CHECK(world.wireguard.changes.empty());  // nobody is there to be told
  world.wireguard.revive("slw0", *world.site);
  const auto back = world.until(
      [&] { return world.path("wan0/north/udp4").state == PathState::good; }, Duration::seconds(3));
  REQUIRE(back);
  CHECK(*back <= Duration::ms(700));
  REQUIRE_FALSE(world.wireguard.changes.empty());
  CHECK(world.wireguard.changes[0].private_key.has_value());
  CHECK(world.leaks == 0);
}

TEST_CASE("site: a hole for large packets lowers what routes let through, before users notice") {
  World world;
  world.settle_in();
  const auto held = [&world] {
    int least = 0;
    for (const auto& route : world.links.state().routes) {
      if (route.nexthop == group_of(kInteractive)) least = route.mtu;
    }
    return least;
  };
  CHECK(held() == 1420);
  world.wires["wan0"].mtu = 1400;  // 1340 inside
  const auto found = world.until([&] { return held() < 1341; }, Duration::seconds(60));
  REQUIRE(found);
  CHECK(*found <= Duration::seconds(35));
  world.pass(Duration::seconds(60));
  CHECK(held() >= 1332);
  CHECK(held() <= 1340);
  CHECK(world.by(kInteractive)->starts_with("slw"));
}
