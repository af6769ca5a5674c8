// With what is not ours: wg(8)'s configurations, and wireguard-go at the other end.
#include <doctest/doctest.h>

#include <string>

#include "tests/image/wireguard/lab.h"

using namespace sluice;
using namespace sluice::ports;
using namespace sluice::image;

TEST_CASE("interop: a wg-quick configuration, stripped, is read as it stands") {
  Lab lab;
  const KeyPair keys = new_keys();
  REQUIRE(lab.open("slw0"));
  run("printf '[Interface]\\nPrivateKey = " + keys.secret_text +
      "\\nListenPort = 51833\\nFwMark = 0x1\\n\\n[Peer]\\nPublicKey = " +
      wg_key_text(numbered_key(5)) +
      "\\nAllowedIPs = 10.88.0.0/24, 2001:db8::/64\\nEndpoint = 10.1.0.1:51820\\n"
      "PersistentKeepalive = 25\\n' > /tmp/suite.conf");
  run("wg setconf slw0 /tmp/suite.conf && rm /tmp/suite.conf");
  const auto state = lab.read("slw0");
  REQUIRE(state);
  CHECK(state->public_key == keys.open);
  CHECK(state->listen_port == 51833);
  CHECK(state->mark == 1);
  REQUIRE(state->peers.size() == 1);
  CHECK(state->peers[0].public_key == numbered_key(5));
  CHECK(state->peers[0].endpoint == endpoint("10.1.0.1:51820"));
  CHECK(state->peers[0].keepalive == Duration::seconds(25));
  CHECK(state->peers[0].allowed.size() == 2);
}

TEST_CASE("interop: what was set here is a configuration that wg takes elsewhere") {
  Lab lab;
  const KeyPair keys = new_keys();
  REQUIRE(lab.open("slw0"));
  WgChange wanted;
  wanted.interface = "slw0";
  wanted.private_key = keys.secret;
  wanted.listen_port = 51834;
  WgPeerChange& peer = wanted.peers.emplace_back();
  peer.public_key = numbered_key(6);
  peer.preshared = new_keys().secret;
  peer.endpoint = endpoint("10.1.0.1:443");
  peer.keepalive = Duration::seconds(15);
  peer.allowed = {net("10.88.0.0/24"), net("192.0.2.0/28")};
  REQUIRE(lab.change(wanted));
  run("wg showconf slw0 > /tmp/suite.conf");
  lab.make_stock("copy", Lab::Stock::kernel);
  lab.in_pop("wg setconf copy /tmp/suite.conf");
  CHECK(lab.in_pop("wg showconf copy") == run("wg showconf slw0"));
  run("rm /tmp/suite.conf");
}

TEST_CASE("interop: a stock wireguard-go peer answers, with a preshared key too") {
  Lab lab;
  const KeyPair keys = new_keys();
  const KeyPair shared = new_keys();
  const Lane lane = lab.make_lane("lgo", 51822, "10.1.0.1", keys.open, Lab::Stock::userspace);
  lab.join("slw0", keys, lane);
  RouteState route;
  route.to = net("10.88.0.1/32");
  route.source = net("10.88.0.2").address;
  route.link = lab.index_of("slw0");
  REQUIRE(lab.links.apply(PutRoute{route}));
  CHECK(Pings(5, "0.2").answered() == 5);
  run("echo " + shared.secret_text + " > /tmp/suite.key");
  lab.in_pop("wg set lgo peer " + wg_key_text(keys.open) + " preshared-key /tmp/suite.key");
  run("rm /tmp/suite.key");
  WgChange change;
  change.interface = "slw0";
  WgPeerChange& anew = change.peers.emplace_back();  // a new session, with the shared key
  anew.public_key = lane.open;
  anew.remove = true;
  WgPeerChange& again = change.peers.emplace_back();
  again.public_key = lane.open;
  again.preshared = shared.secret;
  again.endpoint = lane.endpoint;
  again.allowed = {net("10.88.0.0/24")};
  REQUIRE(lab.change(change));
  CHECK(Pings(5, "0.2").answered() >= 4);
  const auto state = lab.read("slw0");
  REQUIRE(state);
  REQUIRE(state->peers.size() == 1);
  CHECK(state->peers[0].has_preshared);
  CHECK(state->peers[0].last_handshake);
}
