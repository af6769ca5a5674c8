// One address plan for two networks is refused, in words, and only then.
#include "firmware/tunnel/overlap.h"

#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

TEST_CASE("overlap: plans that do not meet are let be, default routes and our own aside") {
  Membership membership = member();
  ports::NetworkState network = machine();
  open_path(network, 0);
  network.links.back().addresses = {net("10.88.0.2/32")};
  network.routes.push_back(route("10.88.0.0/24", 10, nullptr, 0));
  ports::RouteState own = route("10.89.0.0/16", 0, nullptr, 0);
  own.protocol = ports::kOurProtocol;
  network.routes.push_back(own);
  CHECK(overlaps(membership, network).empty());
}

TEST_CASE(
    "overlap: the site's own net inside the network's is told once, with where and what to do") {
  Membership membership = member();
  membership.prefixes.push_back(net("192.168.0.0/16"));
  const auto found = overlaps(membership, machine());  // address and route of lan0 both
  REQUIRE(found.size() == 1);
  CHECK(found[0].refuses);
  CHECK(found[0].interface == "lan0");
  CHECK(found[0].ours == net("192.168.0.0/16"));
  CHECK(found[0].theirs == net("192.168.1.0/24"));
  CHECK(found[0].words.en.find("Renumber") != std::string::npos);
  CHECK(found[0].words.zh.find("192.168.1.0/24") != std::string::npos);
}

TEST_CASE("overlap: routes behind the site's routers are told, other tunnels and PoPs refused") {
  Membership membership = member();
  ports::NetworkState network = machine();
  network.routes.push_back(route("10.89.7.0/24", 4, "192.168.1.9", 0));
  network.links.push_back({20, "wg0", "wireguard", true, true, false, 1420, {net("10.88.0.9/24")}});
  membership.pops[0].hosts.push_back("10.88.0.200");
  const auto found = overlaps(membership, network);
  REQUIRE(found.size() == 3);
  CHECK(found[0].words.en.find("wg-quick down wg0") != std::string::npos);
  CHECK(found[0].refuses);
  CHECK(found[1].theirs == net("10.89.7.0/24"));
  CHECK_FALSE(found[1].refuses);
  CHECK(found[1].words.en.find("never by that route") != std::string::npos);
  CHECK(found[1].words.zh.find("绝不走该路由") != std::string::npos);
  CHECK(found[2].words.en.find("inside the network's own") != std::string::npos);
  CHECK(found[2].refuses);
}

TEST_CASE("overlap: an uplink is a line of the site, whatever kind of interface it is") {
  const Membership membership = member();
  ports::NetworkState network = machine();
  network.links[1].kind = "tun";
  network.routes.push_back(route("10.88.0.0/25", 2, "203.0.113.1", 0));
  CHECK(overlaps(membership, network, uplinks_seen(network, {}))[0].refuses == false);
  CHECK(overlaps(membership, network)[0].refuses);
  network.links[1].addresses = {net("10.88.0.7/24")};
  CHECK(site_parts(membership, network).empty());
  CHECK(site_parts(membership, network, uplinks_seen(network, {})).size() == 1);
}

TEST_CASE("overlap: a flood of routes hides nothing that keeps the tunnels down") {
  Membership membership = member();
  ports::NetworkState network = machine();
  for (int i = 0; i < 100; ++i) {
    network.routes.push_back(
        route(("10.89." + std::to_string(i) + ".0/24").c_str(), 2, "203.0.113.1", 0));
  }
  membership.pops[0].hosts.push_back("10.88.0.200");
  const auto found = overlaps(membership, network);
  CHECK(found.size() == kRoutesToldMax + 1);
  CHECK(found.back().refuses);
}

TEST_CASE("overlap: the site keeps the nets that it is connected to, and no more of the network") {
  Membership membership = member();
  ports::NetworkState network = machine();
  CHECK(site_parts(membership, network).empty());
  network.links[3].addresses = {net("10.88.0.129/25"), net("10.0.0.1/8")};
  network.links[2].addresses = {net("10.88.0.130/25"), net("10.88.0.9/32")};
  network.links.push_back({20, "wg0", "wireguard", true, true, false, 1420, {net("10.88.0.9/24")}});
  network.routes.push_back(route("10.89.7.0/24", 4, "192.168.1.9", 0));
  const auto parts = site_parts(membership, network);
  REQUIRE(parts.size() == 3);  // each net once
  CHECK(parts[0].net == net("10.88.0.128/25"));
  CHECK(parts[0].interface == "wan1");
  CHECK(parts[0].source == ip("10.88.0.130"));
  CHECK(parts[1].net == net("10.88.0.0/24"));  // of 10.0.0.0/8
  CHECK(parts[1].link == 4);
  CHECK(parts[2].net == net("10.89.0.0/16"));
  CHECK(is_of_site(parts, ip("10.89.1.1")));
  CHECK_FALSE(is_of_site({parts[0]}, ip("10.88.0.1")));
  for (auto& link : network.links) link.up = false;
  CHECK(site_parts(membership, network).empty());
}
