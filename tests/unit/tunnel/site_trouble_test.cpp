// What goes wrong in the field, seen from the whole site: cured by itself, or said in words.
#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

namespace {

constexpr TrafficClass kInteractive = TrafficClass::interactive;

uint16_t port_of(const World& world, const char* interface) {
  return world.wireguard.devices.at(interface).state.listen_port;
}

bool is_good(const World& world, const char* path) {
  return world.path(path).state == PathState::good;
}

std::string wg_quick_text() {
  ports::WgKey own{};
  own.fill(0x21);
  ports::WgKey peer{};
  peer.fill(0x80);
  return "[Interface]\nPrivateKey = " + ports::wg_key_text(own) +
         "\nAddress = 10.88.0.2/32\n\n[Peer]\nPublicKey = " + ports::wg_key_text(peer) +
         "\nAllowedIPs = 10.88.0.0/24\nEndpoint = 192.0.2.1:51821\nPersistentKeepalive = 25\n";
}

}  // namespace

TEST_CASE("site: an address translation that has forgotten a path is given a new port") {
  World world;
  world.settle_in();
  const uint16_t port = port_of(world, "slw0");
  world.wires["wan0"].rotten.insert(port);
  const auto back = world.until(
      [&] { return port_of(world, "slw0") != port && is_good(world, "wan0/north/udp4"); },
      Duration::seconds(30));
  REQUIRE(back);
  CHECK(*back <= Duration::seconds(12));
  CHECK(world.log.count("taking a new port") == 1);
  CHECK(port_of(world, "slw1") != 0);
  CHECK(world.by(kInteractive)->starts_with("slw"));
  // One that stays bad is not tried more often than every 20 s.
  for (uint16_t other = 33000; other < 33400; ++other) world.wires["wan0"].rotten.insert(other);
  world.pass(Duration::seconds(100));
  CHECK(world.log.count("taking a new port") <= 6);
  CHECK(world.log.count("taking a new port") >= 4);
}

TEST_CASE("site: a wire that is cut is no reason for a new port, nor to bother the PoP") {
  World world;
  world.settle_in();
  world.pass(Duration::seconds(60));
  world.wires["wan0"].cut = true;  // the PoP was reached beside the tunnel a while ago
  world.pass(Duration::seconds(300));
  CHECK(world.log.count("taking a new port") == 0);
  CHECK(world.op.count("POST /v1/boxes/00112233445566aa/readd") == 0);
  CHECK(world.findings().find("wan0") != std::string::npos);
}

TEST_CASE("site: the port changes after its life, on a good path, and not at the start") {
  World world;
  world.settings.port_life = Duration::seconds(600);
  world.settle_in();
  const uint16_t port = port_of(world, "slw0");
  CHECK(world.wireguard.changes.empty());
  world.pass(Duration::seconds(560));
  CHECK(port_of(world, "slw0") == port);
  const uint16_t other = port_of(world, "slw1");
  // One after the other, and never one that carries something.
  std::map<std::string, uint16_t> ports = {{"slw0", port}, {"slw1", other}};
  const Instant end = world.clock.now() + Duration::seconds(90);
  std::vector<Instant> changed;
  while (world.clock.now() < end) {
    const std::set<std::optional<std::string>> used = {world.by(kInteractive),
                                                       world.by(TrafficClass::bulk)};
    world.pass(Duration::ms(10));
    for (auto& [interface, known] : ports) {
      if (std::exchange(known, port_of(world, interface.c_str())) ==
          port_of(world, interface.c_str()))
        continue;
      CHECK_FALSE(used.contains(interface));
      changed.push_back(world.clock.now());
    }
  }
  REQUIRE(changed.size() == 2);
  CHECK(changed[1] - changed[0] >= SiteTunnels::kNewPortEvery);
  CHECK(is_good(world, "wan0/north/udp4"));
  CHECK(world.carries());
  CHECK(world.leaks == 0);
}

TEST_CASE("site: a port that is old changes on the only path that is well, too") {
  World world;
  world.settings.port_life = Duration::seconds(60);
  world.settle_in();
  const uint16_t port = port_of(world, "slw0");
  world.wires["wan1"].cut = true;
  world.pass(Duration::seconds(60));
  CHECK(port_of(world, "slw0") != port);
  CHECK(is_good(world, "wan0/north/udp4"));
  CHECK(world.by(kInteractive) == "slw0");
}

TEST_CASE("site: a PoP that remembers a later clock is asked to add the box anew, once a minute") {
  World world;
  world.settle_in();
  // A data plane that has to begin again, and PoPs that saw a date of next year.
  const auto lock = [&world] {
    for (auto& [name, device] : world.wireguard.devices) {
      world.op.remembered[device.state.public_key] =
          world.date.truth() + Duration::seconds(365 * 86400);
      device.session.reset();
    }
  };
  lock();
  const auto back = world.until(
      [&] { return is_good(world, "wan0/north/udp4") && is_good(world, "wan1/north/udp4"); },
      Duration::seconds(300));
  CHECK(world.op.count("POST /v1/boxes/00112233445566aa/readd") == 0);  // until it is dead
  REQUIRE(back);
  world.until([&] { return !world.carries(); }, Duration::seconds(10));
  const auto cured = world.until(
      [&] { return is_good(world, "wan0/north/udp4") && is_good(world, "wan1/north/udp4"); },
      Duration::seconds(400));
  REQUIRE(cured);
  CHECK(*cured <= Duration::seconds(240));  // handshakes are fresh for 180 s
  const int asked = world.op.count("POST /v1/boxes/00112233445566aa/readd");
  CHECK(asked >= 2);
  CHECK(asked <= 4);
  SUBCASE("and again when it happens again") {
    world.pass(Duration::seconds(600));
    lock();
    world.pass(Duration::seconds(300));
    CHECK(is_good(world, "wan0/north/udp4"));
    CHECK(world.op.count("POST /v1/boxes/00112233445566aa/readd") > asked);
  }
  SUBCASE("and no more often than once a minute while the operator is away") {
    world.pass(Duration::seconds(600));
    world.op.status = 503;
    lock();
    world.pass(Duration::seconds(600));
    // Two paths, each once a minute, each tried five times.
    CHECK(world.op.count("POST /v1/boxes/00112233445566aa/readd") - asked <= 2 * 10 * 5);
    CHECK_FALSE(world.carries());
    world.op.status = 0;
    world.pass(Duration::seconds(120));
    CHECK(world.carries());
  }
}

TEST_CASE("site: a network that is the site's own is refused, with advice") {
  ports::NetworkState machine = converge::machine();
  for (auto& link : machine.links) {
    if (link.name == "lan0") link.addresses = {tunnel_test::net("10.88.0.77/16")};
  }
  World world(machine);
  world.settings.nodes = {{"far", tunnel_test::ip("10.88.0.50")}};
  world.start();
  world.join();
  world.pass(Duration::seconds(30));
  CHECK(world.findings().find("Renumber") != std::string::npos);
  CHECK(world.wireguard.opens == 0);
  CHECK_FALSE(world.carries());
  CHECK(world.site->carriage(kInteractive)->why.en.find("collide") != std::string::npos);
  // The site's own net is the site's, but for what is the network's by the settings.
  const auto by = [&world](const char* to) {
    return world.links.leaves_by(tunnel_test::ip(to), 0).value_or("nothing");
  };
  CHECK(by("10.88.0.9") == "lan0");
  CHECK(by("10.88.0.50") == "nothing");
  CHECK(world.site->is_of_site(tunnel_test::ip("10.88.0.9")));
  world.links.remove_link("lan0");
  CHECK(by("10.88.0.9") == "nothing");  // at once: not by the default route either
  world.links.edit([&machine](ports::NetworkState& state) {
    state.links.push_back(machine.links[3]);
    state.routes.push_back(machine.routes[4]);
  });
  world.pass(Duration::seconds(1));
  CHECK(by("10.88.0.9") == "lan0");
  CHECK(world.wheres <= 20);  // it does not ask for ever either
  world.links.edit([](ports::NetworkState& state) {
    for (auto& link : state.links) {
      if (link.name == "lan0") link.addresses = {tunnel_test::net("192.168.1.1/24")};
    }
  });
  const auto up = world.until([&] { return world.carries(); }, Duration::seconds(5));
  REQUIRE(up);
  CHECK(world.findings().empty());
}

TEST_CASE("site: a net of the site that appears takes the tunnels down, and opens nothing else") {
  World world;
  world.settle_in();
  const auto address = [&world](const char* text) {
    world.links.edit([text](ports::NetworkState& state) {
      for (auto& link : state.links) {
        if (link.name == "lan0") link.addresses = {tunnel_test::net(text)};
      }
    });
    world.pass(Duration::seconds(2));
  };
  address("10.88.0.129/25");
  CHECK(world.findings().find("10.88.0.128/25") != std::string::npos);
  CHECK(world.wireguard.devices.empty());
  CHECK_FALSE(world.by(kInteractive));  // 10.88.0.9 is not the site's
  CHECK_FALSE(world.by(TrafficClass::bulk));
  CHECK(world.links.leaves_by(tunnel_test::ip("10.88.0.200"), 0) == "lan0");
  CHECK(world.programs.runs.back().input.find("ip daddr 10.88.0.128/25 accept") !=
        std::string::npos);
  SUBCASE("also with tunnels switched off meanwhile") {
    world.settings.on = false;
    world.site->configure(world.settings);
    world.pass(Duration::seconds(2));
    CHECK_FALSE(world.by(kInteractive));
    CHECK(world.links.leaves_by(tunnel_test::ip("10.88.0.200"), 0) == "lan0");
    world.settings.on = true;
    world.site->configure(world.settings);
  }
  address("192.168.1.1/24");
  CHECK(world.until([&] { return world.carries(); }, Duration::seconds(5)));
  CHECK(world.findings().empty());
  CHECK_FALSE(world.site->is_of_site(tunnel_test::ip("10.88.0.200")));
  CHECK(std::none_of(world.links.state().rules.begin(), world.links.state().rules.end(),
                     [](const auto& rule) { return rule.table == kSiteTable; }));
  CHECK(world.leaks == 0);
}

TEST_CASE("site: a route that a stranger gives out draws nothing of the network to itself") {
  World world;
  world.settle_in();
  world.links.edit([](ports::NetworkState& state) {
    state.routes.push_back(converge::route("10.88.0.9/32", 3, "100.64.3.10", 0));
    state.routes.push_back(converge::route("10.88.0.0/25", 3, nullptr, 0));
  });
  world.pass(Duration::seconds(30));
  CHECK(world.findings().find("draws traffic to itself") != std::string::npos);
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.carries());
  CHECK(world.wireguard.removed.empty());
  world.wires["wan0"].cut = world.wires["wan1"].cut = true;
  world.pass(Duration::seconds(30));
  CHECK_FALSE(world.carries());
  world.settings.on = false;
  world.site->configure(world.settings);
  world.pass(Duration::seconds(5));
  CHECK_FALSE(world.by(kInteractive));
  CHECK(world.leaks == 0);
}

TEST_CASE("site: a captive portal is looked for when an uplink is lifeless, and said by its name") {
  World world;
  world.settle_in();
  world.pass(Duration::seconds(120));
  CHECK(world.web.asked.empty());
  world.wires["wan0"].cut = true;
  world.web.portal = true;
  const auto said =
      world.until([&] { return world.findings().find("captive portal") != std::string::npos; },
                  Duration::seconds(20));
  REQUIRE(said);
  CHECK(*said <= Duration::seconds(6));
  CHECK(world.findings().find("wan0 is behind") != std::string::npos);
  CHECK(world.findings().find("http://login.example/") != std::string::npos);
  CHECK(world.findings().find("wan1") == std::string::npos);
  CHECK(world.web.asked.size() == 1);
  world.pass(Duration::seconds(300));
  CHECK(world.web.asked.size() <= 6);  // once a minute
  // Somebody has logged in.
  world.web.portal = false;
  world.wires["wan0"].cut = false;
  world.pass(Duration::seconds(10));
  CHECK(world.findings().empty());
  const size_t asked = world.web.asked.size();
  world.pass(Duration::seconds(120));
  CHECK(world.web.asked.size() == asked);
}

TEST_CASE("site: paths beyond the most there can be are said to be left out") {
  World world;
  world.op.pops.clear();
  for (int i = 1; i <= 9; ++i) {
    world.op.pops["pop" + std::to_string(i)] = "192.0.2." + std::to_string(i);
  }
  world.start();
  world.join();
  world.pass(Duration::seconds(5));
  CHECK(world.site->tunnels().paths.size() == 16);
  CHECK(world.findings().find("2 paths are left out: 16 is the most") != std::string::npos);
}

TEST_CASE("site: an imported configuration is believed by its handshakes, and its uplink") {
  World world;
  // The PoP's end, as its operator set it up by hand.
  ModelOperator::Lane lane;
  lane.path = "by hand";
  lane.pop = "north";
  lane.own.fill(0x80);
  lane.port = 51821;
  ports::WgKey own{};
  own.fill(0x21);
  lane.peer = public_key_of(ports::WgSecret(own));
  world.op.lanes.push_back(lane);
  world.start();
  std::optional<Result<void>> imported;
  world.site->import(wg_quick_text(), "test",
                     [&imported](Result<void> result) { imported = std::move(result); });
  REQUIRE(imported);
  REQUIRE(imported->has_value());
  world.pass(Duration::seconds(1));
  CHECK_FALSE(world.carries());
  REQUIRE(world.wireguard.devices.contains("slw0"));
  // Nobody sends here, so the handshake is made by hand.
  auto& device = world.wireguard.devices.at("slw0");
  REQUIRE(device.state.peers.size() == 1);
  device.state.peers.front().last_handshake = world.date.now();
  const auto up = world.until([&] { return world.carries(); }, Duration::seconds(5));
  REQUIRE(up);
  CHECK(*up <= Duration::seconds(3));
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.site->tunnels().paths.front().state == PathState::good);
  SUBCASE("a date that is set by hours does not end it") {
    world.date.ahead = Duration::seconds(7200);
    world.pass(Duration::seconds(60));
    CHECK(world.carries());
  }
  SUBCASE("it is dead when handshakes stop") {
    world.pass(Duration::seconds(150));
    CHECK(world.carries());
    world.pass(Duration::seconds(60));
    CHECK_FALSE(world.carries());
  }
  SUBCASE("it takes the next uplink at once, and is dead without any") {
    world.links.set_carrier("wan0", false);
    world.pass(Duration::ms(5));
    CHECK(world.wireguard.devices.at("slw0").state.mark == uplink_mark(1));
    CHECK(world.carries());
    world.links.set_carrier("wan1", false);
    world.pass(Duration::ms(10));
    CHECK_FALSE(world.carries());
  }
  SUBCASE("there are no keys to change") {
    std::optional<Result<void>> rotated;
    world.site->rotate("test", [&rotated](Result<void> result) { rotated = std::move(result); });
    REQUIRE(rotated);
    CHECK(rotated->error().kind == ErrorKind::refused);
  }
}

TEST_CASE("site: a ruleset that fails is said once, tried again, and said no more when it works") {
  World world;
  world.settings.rates_up["wan0"] = 20'000'000;
  bool broken = true;
  world.programs.answers =
      [&broken](const ports::ProgramSpec&) -> std::optional<Result<ports::ProgramEnd>> {
    if (!broken) return std::nullopt;
    return ports::ProgramEnd{1, "", "Error: Could not process rule"};
  };
  world.start();
  world.join();
  world.pass(Duration::seconds(60));
  CHECK(world.findings().find("Could not process rule") != std::string::npos);
  CHECK(world.log.count("Could not process rule") <= 2);  // the belt, the shaping
  CHECK(world.programs.count("sluice_tunnel") <= 14);
  CHECK(world.programs.count("sluice_tunnel") >= 10);
  CHECK(world.carries());  // the unreachable defaults hold without it
  CHECK(world.programs.destroyed_inside == 0);
  broken = false;
  world.pass(Duration::seconds(7));
  CHECK(world.programs.belt);
  CHECK(world.findings().empty());
  const int belts = world.programs.count("sluice_tunnel");
  world.pass(Duration::seconds(300));
  CHECK(world.programs.count("sluice_tunnel") == belts);
  // A firewall that begins by throwing away everybody's rules.
  world.programs.belt = false;
  world.pass(Duration::seconds(62));
  CHECK(world.programs.belt);
  CHECK(world.log.count("took it away") == 1);
  world.pass(Duration::seconds(120));
  CHECK(world.log.count("took it away") == 1);
  // What the belt has stopped is said once.
  world.programs.stopped = 3;
  world.pass(Duration::seconds(150));
  CHECK(world.log.count("were stopped: 3 of this box") == 1);
}

TEST_CASE(
    "site: a change that the kernel refuses is said once, and found out again when it works") {
  World world;
  world.settle_in();
  world.guarded = false;
  world.links.refuses = [](const ports::NetworkChange& change) {
    return std::holds_alternative<ports::AddRule>(change);
  };
  world.links.edit([](ports::NetworkState& state) { state.rules.clear(); });
  world.pass(Duration::seconds(30));
  CHECK(world.findings().find("it will not") != std::string::npos);
  CHECK(world.log.count("it will not") <= static_cast<int>(world.links.changes.size()));
  CHECK(world.log.count("it will not") <= 8);
  world.links.refuses = nullptr;
  world.pass(Duration::seconds(2));
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.findings() == "");
}

TEST_CASE("site: a device that the backend refuses is tried again, and not in circles") {
  World world;
  world.wireguard.fails = [](ModelWireGuard::What what,
                             const std::string& interface) -> std::optional<Error> {
    if (what != ModelWireGuard::What::change || interface != "slw0") return std::nullopt;
    return Error{ErrorKind::refused, "model", "this key is not accepted"};
  };
  world.start();
  world.join();
  world.pass(Duration::seconds(60));
  CHECK(world.wireguard.changes.size() <= 70);  // once a second at most
  CHECK(world.path("wan0/north/udp4").trouble.find("not accepted") != std::string::npos);
  CHECK(world.log.count("not accepted") == 1);
  CHECK(world.by(kInteractive) == "slw1");
  world.wireguard.fails = nullptr;
  world.pass(Duration::seconds(8));
  CHECK(is_good(world, "wan0/north/udp4"));
}
