// Packets through tunnels: a session survives every change that is not about it, a daemon that ends
// and comes back, and a switch to another tunnel.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "drivers/netlink/kernel_links.h"
#include "tests/image/wireguard/lab.h"

using namespace sluice;
using namespace sluice::ports;
using namespace sluice::image;

namespace {

RouteState inner_route() {
  RouteState route;
  route.to = net("10.88.0.1/32");
  route.source = net("10.88.0.2").address;
  route.protocol = kOurProtocol;
  return route;
}

void route_by_link(Lab& lab, const std::string& interface) {
  RouteState route = inner_route();
  route.link = lab.index_of(interface);
  REQUIRE(lab.links.apply(PutRoute{route}));
}

WgPeerState only_peer(Lab& lab, const std::string& interface) {
  const auto state = lab.read(interface);
  INFO((state ? std::string() : state.error().text));
  REQUIRE(state);
  REQUIRE_FALSE(state->peers.empty());
  return state->peers.front();
}

NexthopState nexthop(uint32_t id, int link, std::vector<uint32_t> group = {}) {
  return {id, IpAddress::Family::v4, link, std::move(group), kOurProtocol};
}

// The PoP answers by the lane by which the last packet of a flow came.
void pin_replies(Lab& lab, const Lane& first, const Lane& second) {
  run("printf '%s' 'table ip pin { "
      "chain in { type filter hook prerouting priority mangle; iifname \"" +
      first.interface + "\" ct mark set 10; iifname \"" + second.interface +
      "\" ct mark set 11; }; "
      "chain out { type route hook output priority mangle; ct mark != 0 meta mark set ct mark; }; "
      "}'"
      " > /tmp/suite.nft");
  lab.in_pop("nft -f /tmp/suite.nft");
  int table = 100;
  for (const Lane& lane : {first, second}) {
    const std::string number = std::to_string(table);
    lab.in_pop("ip rule add fwmark " + std::to_string(table - 90) + " lookup " + number);
    lab.in_pop("ip route add 10.88.0.2/32 dev " + lane.interface + " src 10.88.0.1 table " +
               number);
    ++table;
  }
  lab.in_pop("sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done'");
}

}  // namespace

TEST_CASE(
    "traffic: changes to other peers and repeated ones lose no packet and start no handshake") {
  Lab lab;
  const KeyPair keys = new_keys();
  const Lane lane = lab.make_lane("la", 51820, "10.1.0.1", keys.open, Lab::Stock::kernel);
  lab.join("slw0", keys, lane);
  route_by_link(lab, "slw0");
  CHECK(Pings(3, "0.2").answered() == 3);
  const WgPeerState before = only_peer(lab, "slw0");
  REQUIRE(before.last_handshake);
  Pings pings(60, "0.05");
  for (int i = 0; i < 20; ++i) {
    WgChange other;
    other.interface = "slw0";
    other.private_key = keys.secret;  // the same again
    WgPeerChange& same = other.peers.emplace_back();
    same.public_key = lane.open;
    same.update_only = true;
    same.endpoint = lane.endpoint;
    same.replace_allowed = true;
    same.allowed = {net("10.88.0.0/24")};
    WgPeerChange& stranger = other.peers.emplace_back();
    stranger.public_key = numbered_key(i / 2);
    stranger.remove = i % 2 == 1;
    stranger.allowed = {net("10.99.0.0/16")};
    REQUIRE(lab.change(other));
    run("sleep 0.1");
  }
  CHECK(pings.answered() == 60);
  const WgPeerState after = only_peer(lab, "slw0");
  CHECK(after.last_handshake == before.last_handshake);
  CHECK(after.received_bytes > before.received_bytes);
  CHECK(after.sent_bytes > before.sent_bytes);
}

TEST_CASE("traffic: the tunnel outlives its daemon, and the next one takes it over as it is") {
  Lab lab;
  const KeyPair keys = new_keys();
  const Lane lane = lab.make_lane("la", 51820, "10.1.0.1", keys.open, Lab::Stock::kernel);
  lab.join("slw0", keys, lane);
  route_by_link(lab, "slw0");
  CHECK(Pings(3, "0.2").answered() == 3);
  const WgPeerState before = only_peer(lab, "slw0");
  Pings pings(40, "0.05");
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    lab.read("slw0").has_value() ? kill(getpid(), SIGKILL) : 0;
    _exit(1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  REQUIRE(lab.open("slw0"));
  CHECK(pings.answered() == 40);
  const WgPeerState after = only_peer(lab, "slw0");
  CHECK(after.last_handshake == before.last_handshake);
}

TEST_CASE("traffic: a lost and returned carrier leaves the session as it was") {
  Lab lab;
  const KeyPair keys = new_keys();
  const Lane lane = lab.make_lane("la", 51820, "10.1.0.1", keys.open, Lab::Stock::kernel);
  lab.join("slw0", keys, lane);
  route_by_link(lab, "slw0");
  CHECK(Pings(3, "0.2").answered() == 3);
  const WgPeerState before = only_peer(lab, "slw0");
  run("ip -n suitepop link set dev pa down");
  CHECK(Pings(2, "0.2").answered() == 0);
  run("ip -n suitepop link set dev pa up");
  // The kernel takes up to a second to put a returned carrier to use.
  CHECK(Pings(15, "0.2").answered() >= 8);
  CHECK(only_peer(lab, "slw0").last_handshake == before.last_handshake);
}

TEST_CASE(
    "failover: one message moves a running flow to the other tunnel and back, nothing is lost") {
  Lab lab;
  const KeyPair first_keys = new_keys();
  const KeyPair second_keys = new_keys();
  const Lane first = lab.make_lane("la", 51820, "10.1.0.1", first_keys.open, Lab::Stock::kernel);
  const Lane second = lab.make_lane("lb", 51821, "10.2.0.1", second_keys.open, Lab::Stock::kernel);
  pin_replies(lab, first, second);
  lab.join("slw0", first_keys, first);
  lab.join("slw1", second_keys, second);
  REQUIRE(lab.links.apply(PutNexthop{nexthop(1, lab.index_of("slw0"))}));
  REQUIRE(lab.links.apply(PutNexthop{nexthop(2, lab.index_of("slw1"))}));
  REQUIRE(lab.links.apply(PutNexthop{nexthop(9, 0, {1})}));
  RouteState route = inner_route();
  route.nexthop = 9;
  REQUIRE(lab.links.apply(PutRoute{route}));
  CHECK(Pings(3, "0.2").answered() == 3);
  REQUIRE(lab.links.apply(PutNexthop{nexthop(9, 0, {2})}));
  CHECK(Pings(3, "0.2").answered() == 3);
  const uint64_t quiet = only_peer(lab, "slw0").received_bytes;
  const uint64_t busy = only_peer(lab, "slw1").received_bytes;
  CHECK(busy > 3 * 64);
  Pings pings(60, "0.05");
  for (uint32_t i = 0; i < 10; ++i) {
    run("sleep 0.2");
    REQUIRE(lab.links.apply(PutNexthop{nexthop(9, 0, {1 + i % 2})}));
  }
  CHECK(pings.answered() == 60);
  CHECK(only_peer(lab, "slw0").received_bytes > quiet);
  CHECK(only_peer(lab, "slw1").received_bytes > busy);
}

TEST_CASE("failover: without pinned replies at the PoP the other tunnel is a black hole") {
  Lab lab;
  const KeyPair first_keys = new_keys();
  const KeyPair second_keys = new_keys();
  const Lane second = lab.make_lane("lb", 51821, "10.2.0.1", second_keys.open, Lab::Stock::kernel);
  const Lane first = lab.make_lane("la", 51820, "10.1.0.1", first_keys.open, Lab::Stock::kernel);
  lab.join("slw0", first_keys, first);
  lab.join("slw1", second_keys, second);
  route_by_link(lab, "slw0");
  CHECK(Pings(3, "0.2").answered() == 3);
  run("ip -n suitepop link set dev pa down");  // the PoP still answers by the lane that it has
  route_by_link(lab, "slw1");
  CHECK(Pings(3, "0.2").answered() == 0);
}
