// Ways to the internet as they are seen, and what happened to them between two looks.
#include "firmware/tunnel/uplinks.h"

#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

TEST_CASE("uplinks: without settings, what has a default route, least metric first") {
  ports::NetworkState network = machine();
  open_path(network, 0);
  network.routes.push_back(route("0.0.0.0/0", 10, nullptr, 1));  // by a tunnel of ours: not one
  const auto uplinks = uplinks_seen(network, {});
  REQUIRE(uplinks.size() == 2);
  CHECK(uplinks[0].name == "wan0");
  CHECK(uplinks[0].number == 0);
  CHECK(uplinks[0].gateway4 == ip("203.0.113.1"));
  CHECK(uplinks[0].carries(IpAddress::Family::v4));
  CHECK_FALSE(uplinks[0].carries(IpAddress::Family::v6));
  CHECK(uplinks[0].trouble.empty());
  CHECK(uplinks[1].name == "wan1");
}

TEST_CASE("uplinks: an automatic one that lost its route is kept, with its number and a reason") {
  ports::NetworkState network = machine();
  const auto before = uplinks_seen(network, {});
  std::erase_if(network.routes, [](const auto& one) { return one.link == 2; });
  const auto after = uplinks_seen(network, {}, before);
  REQUIRE(after.size() == 2);
  CHECK(after[0].name == "wan1");
  CHECK(after[0].number == 1);
  CHECK(after[1].name == "wan0");
  CHECK(after[1].number == 0);
  CHECK(after[1].trouble.en.find("no default route") != std::string::npos);
  CHECK_FALSE(after[1].trouble.zh.empty());
}

TEST_CASE("uplinks: each trouble is told by its name") {
  const std::vector<UplinkSetting> settings = {{"fibre", "wan0", false, 1},
                                               {"lte", "wwan0", true, 2}};
  ports::NetworkState network = machine();
  const auto words = [&] { return uplinks_seen(network, settings)[0].trouble.en; };
  CHECK(uplinks_seen(network, settings)[1].trouble.en.find("There is no interface wwan0") == 0);
  CHECK(words().empty());
  network.links[1].addresses.clear();
  CHECK(words().find("no address") != std::string::npos);
  network.links[1].addresses = {net("2001:db8::5/64")};
  CHECK(words().find("different families") != std::string::npos);
  network.links[1].carrier = false;
  CHECK(words().find("no carrier") != std::string::npos);
  network.links[1].up = false;
  CHECK(words().find("switched off") != std::string::npos);
}

TEST_CASE("uplinks: what happened is told once and by its name") {
  const ports::NetworkState network = machine();
  const auto before = uplinks_seen(network, {});
  CHECK(uplink_changes(before, before).empty());
  CHECK(uplink_changes({}, before).size() == 2);

  ports::NetworkState other = machine();
  other.links[1].addresses = {net("203.0.113.77/24")};
  auto changes = uplink_changes(before, uplinks_seen(other, {}, before));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0] == UplinkChange{0, "wan0", UplinkEvent::renumbered});

  other = machine();
  other.links[2].carrier = false;
  other.links[2].addresses.clear();
  changes = uplink_changes(before, uplinks_seen(other, {}, before));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0] == UplinkChange{1, "wan1", UplinkEvent::carrier_lost});

  other = machine();
  other.links.erase(other.links.begin() + 1);
  changes = uplink_changes(before, uplinks_seen(other, {}, before));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].event == UplinkEvent::vanished);

  other = machine();
  other.routes[0].gateway = ip("203.0.113.254");
  CHECK(uplink_changes(before, uplinks_seen(other, {}, before))[0].event ==
        UplinkEvent::renumbered);
}

TEST_CASE("uplinks: no more than there are marks for") {
  std::vector<UplinkSetting> settings;
  for (int i = 0; i < 12; ++i) settings.push_back({"u" + std::to_string(i), "wan0", false, i});
  CHECK(uplinks_seen(machine(), settings).size() == 8);
}
