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
  CHECK(found[0].interface == "lan0");
  CHECK(found[0].ours == net("192.168.0.0/16"));
  CHECK(found[0].theirs == net("192.168.1.0/24"));
  CHECK(found[0].words.en.find("Renumber") != std::string::npos);
  CHECK(found[0].words.zh.find("192.168.1.0/24") != std::string::npos);
}

TEST_CASE("overlap: routes behind the site's routers, other tunnels and PoPs are seen too") {
  Membership membership = member();
  ports::NetworkState network = machine();
  network.routes.push_back(route("10.89.7.0/24", 4, "192.168.1.9", 0));
  network.links.push_back({20, "wg0", "wireguard", true, true, false, 1420, {net("10.88.0.9/24")}});
  membership.pops[0].hosts.push_back("10.88.0.200");
  const auto found = overlaps(membership, network);
  REQUIRE(found.size() == 3);
  CHECK(found[0].words.en.find("wg-quick down wg0") != std::string::npos);
  CHECK(found[1].theirs == net("10.89.7.0/24"));
  CHECK(found[2].words.en.find("inside the network's own") != std::string::npos);
}
