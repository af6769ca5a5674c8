// A site whose date is wrong: it is set by what PoPs tell, nobody is locked out for it where that
// can be helped, and what somebody else sets is not fought over.
#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

namespace {

constexpr Duration kDay = Duration::seconds(86400);
constexpr Duration kYear = kDay * 365;
constexpr const char* kFirst = "wan0/north/udp4";
constexpr const char* kSecond = "wan1/north/udp4";

bool is_good(const World& world, const char* path) {
  return world.path(path).state == PathState::good;
}

bool is_near(Duration ahead) {
  return ahead < Duration::seconds(1) && ahead > Duration::seconds(-1);
}

void cut_all(World& world, bool cut) { world.wires["wan0"].cut = world.wires["wan1"].cut = cut; }

void ask_nothing_outside(World& world) {
  world.wires["wan0"].asks_pass = world.wires["wan1"].asks_pass = false;
}

// The box was off: its data planes are new.
void switch_off(World& world) {
  world.site->stop();
  world.guarded = false;
  world.wireguard.remove("slw0", [](const Result<void>&) {});
  world.wireguard.remove("slw1", [](const Result<void>&) {});
}

int readds(const World& world) { return world.op.count("POST /v1/boxes/00112233445566aa/readd"); }

int readds_of(const World& world, const char* interface) {
  const std::string key =
      ports::wg_key_text(world.wireguard.devices.at(interface).state.public_key);
  int count = 0;
  for (const auto& one : world.op.asked) {
    const bool readd = one.line.find("/readd") != std::string::npos;
    count += readd && one.body.find(key) != std::string::npos ? 1 : 0;
  }
  return count;
}

// No PoP believes that this box lives in the future.
void check_not_locked_out(const World& world) {
  for (const auto& [key, last] : world.op.remembered) {
    CHECK(last < world.date.truth() + Duration::seconds(20));
  }
  CHECK(readds_of(world, "slw0") == 0);
  CHECK(readds_of(world, "slw1") == 0);
}

}  // namespace

TEST_CASE("site: a date that was wrong for a moment, with no PoP to tell, is not set again") {
  World world;
  world.settle_in();
  cut_all(world, true);
  world.pass(Duration::seconds(5));
  world.date.ahead = kYear * 70;
  world.pass(Duration::seconds(3));
  world.date.ahead = Duration();  // NTP sets it right
  world.pass(Duration::seconds(120));
  CHECK(world.date.sets == 0);
  CHECK(world.date.ahead == Duration());
  SUBCASE("nor after a restart") {
    world.restart();
    world.pass(Duration::seconds(60));
    CHECK(world.date.sets == 0);
  }
  SUBCASE("and the paths come back") {
    cut_all(world, false);
    const auto up = world.until([&] { return world.carries(); }, Duration::seconds(60));
    CHECK(up);
    CHECK(world.date.sets == 0);
  }
}

TEST_CASE("site: without a membership, or with tunnels off, the date is nobody's business here") {
  World world;
  SUBCASE("not joined") { world.start(); }
  SUBCASE("switched off") {
    world.settle_in();
    world.settings.on = false;
    world.site->configure(world.settings);
    world.guarded = false;
    world.pass(Duration::seconds(5));
  }
  const auto floor = world.files.files["state/tunnel/clock_floor"];
  world.date.ahead = kYear * 70;
  world.pass(Duration::seconds(3));
  world.date.ahead = kYear * -1;
  world.pass(Duration::seconds(60));
  world.restart();
  world.pass(Duration::seconds(60));
  CHECK(world.date.sets == 0);
  CHECK(world.files.files["state/tunnel/clock_floor"] == floor);
  CHECK(world.findings().find("date") == std::string::npos);
}

TEST_CASE("site: the date is set to the floor once, and not against who sets it afterwards") {
  World world;
  world.settle_in();
  world.pass(Duration::seconds(1200));
  switch_off(world);
  world.date.ahead = kDay * -30;
  cut_all(world, true);
  world.restart();
  world.pass(Duration::seconds(20));
  CHECK(world.date.sets == 1);
  CHECK(world.date.ahead > Duration::seconds(-1500));
  world.date.ahead = kDay * -20;
  world.pass(Duration::seconds(60));
  CHECK(world.date.sets == 1);
  CHECK(world.date.ahead == kDay * -20);
  for (const auto& [name, device] : world.wireguard.devices) {
    REQUIRE_FALSE(device.state.peers.empty());
    CHECK(device.state.peers.front().endpoint.has_value());  // nothing waits for a floor then
  }
}

TEST_CASE("site: with two uplinks and a silent host the date is set once") {
  World world;
  world.op.pops["south"] = "198.51.100.1";
  world.start();
  world.join();
  world.pass(Duration::seconds(30));
  world.site->stop();
  world.files.files.erase("state/tunnel/clock_floor");
  world.date.ahead = kYear * -1;
  world.date.sets = 0;
  // What it learns there, it is told when the silent one is given up.
  world.wires["wan1"].mute.insert(tunnel_test::ip("198.51.100.1"));
  SUBCASE("with paths that live") {}
  SUBCASE("with questions outside the tunnels alone") {
    for (const char* name : {"slw0", "slw1", "slw2", "slw3"}) {
      world.wireguard.remove(name, [](const Result<void>&) {});
    }
    for (uint16_t port = 33000; port < 33100; ++port) {
      world.wires["wan0"].rotten.insert(port);
      world.wires["wan1"].rotten.insert(port);
    }
  }
  world.restart();
  world.pass(Duration::seconds(60));
  CHECK(world.date.sets == 1);
  CHECK(is_near(world.date.ahead));
}

TEST_CASE("site: what a PoP told before somebody set the date is not used after it") {
  World world;
  world.settle_in();
  cut_all(world, true);
  world.pass(Duration::seconds(5));
  // The machine slept for an hour: its date went on, the clock did not, nor does the PoP's answer
  // of before.
  world.date.ahead = Duration::seconds(3600);
  world.pass(Duration::seconds(120));
  CHECK(world.date.sets == 0);
}

TEST_CASE("site: a date ahead at the start is set back before any handshake") {
  World world;
  world.start();
  world.join();
  world.pass(Duration::seconds(30));
  switch_off(world);
  world.op.remembered.clear();
  world.date.ahead = kDay * 400;
  SUBCASE("as it is told outside the tunnels") {}
  SUBCASE("as the answer to a hello tells it, where UDP does not pass") {
    world.settings.tcp443 = true;
    world.op.tcp_port = 443;
    world.restart();
    world.pass(Duration::seconds(10));  // the PoPs are told of the new paths
    REQUIRE(world.dialers.hellos > 0);
    switch_off(world);
    for (const char* name : {"slw2", "slw3"}) {
      world.wireguard.remove(name, [](const Result<void>&) {});
    }
    world.op.remembered.clear();
    world.date.ahead = kDay * 400;
    world.date.sets = 0;
    ask_nothing_outside(world);
  }
  world.restart();
  world.pass(Duration::seconds(60));
  CHECK(world.carries());
  CHECK(world.date.sets == 1);
  CHECK(is_near(world.date.ahead));
  check_not_locked_out(world);
}

TEST_CASE("site: handshakes wait for a PoP's date no longer than its answer could take") {
  World world;
  world.start();
  world.join();
  world.pass(Duration::seconds(30));
  switch_off(world);
  world.restart();
  const auto soon = world.until([&] { return world.carries(); }, Duration::seconds(30));
  REQUIRE(soon);
  CHECK(*soon < Duration::ms(500));
  switch_off(world);
  ask_nothing_outside(world);
  world.restart();
  const auto up = world.until([&] { return world.carries(); }, Duration::seconds(30));
  REQUIRE(up);
  CHECK(*up > Duration::ms(1500));
  CHECK(*up < Duration::ms(3500));
}

TEST_CASE("site: an answer inside a tunnel tells the date as well") {
  World world;
  world.settle_in();
  ask_nothing_outside(world);
  world.date.ahead = kYear;
  world.pass(Duration::seconds(3));
  CHECK(world.date.sets == 1);
  CHECK(is_near(world.date.ahead));
  world.pass(Duration::seconds(300));
  CHECK(world.carries());
  CHECK(world.date.sets == 1);
  check_not_locked_out(world);
}

TEST_CASE("site: while the date is ahead and stays so, who is up stays up and who is not waits") {
  World world;
  world.settle_in();
  world.date.may_set = false;
  world.date.ahead = kYear;
  world.pass(Duration::seconds(10));
  CHECK(is_good(world, kFirst));
  CHECK(is_good(world, kSecond));
  CHECK(world.path(kFirst).trouble.empty());
  CHECK(world.findings().find("ahead of the PoP's") != std::string::npos);
  world.wires["wan1"].cut = true;
  world.pass(Duration::seconds(5));
  CHECK(world.path(kSecond).state == PathState::dead);
  world.wires["wan1"].cut = false;
  world.pass(Duration::seconds(10));
  CHECK(world.wireguard.devices.at("slw1").state.peers.empty());
  CHECK(world.path(kSecond).state == PathState::dead);
  CHECK(world.path(kSecond).trouble.find("ahead of the PoP's") != std::string::npos);
  CHECK(is_good(world, kFirst));
  CHECK(world.by(TrafficClass::interactive) == "slw0");
  SUBCASE("set right, it comes back, and was never locked out") {
    world.date.ahead = Duration();
    const auto back = world.until([&] { return is_good(world, kSecond); }, Duration::seconds(30));
    REQUIRE(back);
    CHECK(*back <= Duration::seconds(5));
    check_not_locked_out(world);
  }
  SUBCASE("set right later, the PoP forgets what the other one told it meanwhile") {
    world.pass(Duration::seconds(150));  // a session lasts two minutes here
    CHECK(is_good(world, kFirst));
    world.date.ahead = Duration();
    world.pass(Duration::seconds(300));
    CHECK(is_good(world, kFirst));
    CHECK(is_good(world, kSecond));
    CHECK(readds_of(world, "slw0") >= 1);
    CHECK(readds_of(world, "slw1") == 0);
  }
}

TEST_CASE("site: a dead path with a handshake of the future costs those that live nothing") {
  World world;
  world.settle_in();
  world.wireguard.devices.at("slw1").state.peers.front().last_handshake =
      world.date.truth() + kYear;
  world.pass(Duration::seconds(2));
  world.wires["wan1"].cut = true;
  world.pass(Duration::seconds(600));
  CHECK(readds_of(world, "slw0") == 0);
  CHECK(readds_of(world, "slw1") == 1);  // until it has helped
  CHECK(is_good(world, kFirst));
}

TEST_CASE("site: a path that lives is not cut though its last handshake was of the future") {
  World world;
  world.settle_in();
  for (auto& [name, device] : world.wireguard.devices) {
    device.state.peers.front().last_handshake = world.date.truth() + kYear;
  }
  world.pass(Duration::seconds(60));
  CHECK(readds(world) == 0);
}

TEST_CASE("site: with a clock behind its floor no handshake begins until a PoP has told the date") {
  World world;
  world.settle_in();
  world.pass(Duration::seconds(1200));
  world.site->stop();
  // The box was off; its clock has no battery, and its data planes are new.
  world.date.ahead = Duration::seconds(-30 * 86400);
  world.wireguard.remove("slw0", [](const Result<void>&) {});
  world.wireguard.remove("slw1", [](const Result<void>&) {});
  world.date.may_set = false;
  world.wires["wan0"].cut = world.wires["wan1"].cut = true;
  world.guarded = false;
  world.make();
  world.start();
  world.pass(Duration::seconds(20));
  for (const auto& [name, device] : world.wireguard.devices) {
    CAPTURE(name);
    CHECK(device.state.peers.empty());
    CHECK_FALSE(device.session.has_value());
  }
  CHECK(world.findings().find("date") != std::string::npos);
  CHECK(world.path("wan0/north/udp4").trouble.find("date") != std::string::npos);
  SUBCASE("it is set by what the PoP tells, and the tunnels come up") {
    world.date.may_set = true;
    world.wires["wan0"].cut = world.wires["wan1"].cut = false;
    const auto up = world.until([&] { return world.carries(); }, Duration::seconds(30));
    REQUIRE(up);
    CHECK(*up <= Duration::seconds(10));
    CHECK(world.date.ahead < Duration::seconds(1));
    CHECK(world.date.ahead > Duration() - kClockBehindMax - Duration::seconds(1));
  }
  SUBCASE("without permission to set it, handshakes wait and it is said") {
    world.wires["wan0"].cut = world.wires["wan1"].cut = false;
    world.pass(Duration::seconds(60));
    CHECK(world.date.sets == 0);
    CHECK(world.findings().find("behind") != std::string::npos);
    CHECK(world.log.count("no permission") <= 3);  // not every second
  }
}
