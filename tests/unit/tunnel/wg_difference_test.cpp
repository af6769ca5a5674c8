// A WireGuard device is changed where it differs, and its peer's session lives on.
#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

namespace {

WantedDevice device() {
  const Membership membership = member();
  WantedDevice out;
  out.interface = "slw0";
  out.private_key = membership.paths[0].private_key;
  out.mark = uplink_mark(0);
  out.peer = membership.paths[0].lane->public_key;
  out.preshared = membership.paths[0].lane->preshared;
  out.endpoint = IpEndpoint{ip("192.0.2.1"), 51821};
  out.allowed = {net("10.88.0.0/24"), net("10.89.0.0/16")};
  return out;
}

ports::WgState as(const WantedDevice& wanted) {
  ports::WgState out;
  out.interface = wanted.interface;
  out.public_key = public_key_of(wanted.private_key);
  out.listen_port = 40000;
  out.mark = wanted.mark;
  ports::WgPeerState peer;
  peer.public_key = wanted.peer;
  peer.has_preshared = true;
  peer.endpoint = wanted.endpoint;
  peer.keepalive = wanted.keepalive;
  peer.allowed = {wanted.allowed[1], wanted.allowed[0]};
  out.peers = {peer};
  return out;
}

}  // namespace

TEST_CASE("wg difference: a device that is as wanted is left alone") {
  const WantedDevice wanted = device();
  CHECK_FALSE(wg_difference(wanted, as(wanted)).has_value());
  CHECK_FALSE(wg_difference(wanted, as(wanted), &wanted).has_value());
}

TEST_CASE("wg difference: an empty device gets everything, a full one only what changed") {
  const WantedDevice wanted = device();
  ports::WgState empty;
  empty.interface = "slw0";
  const auto whole = wg_difference(wanted, empty);
  REQUIRE(whole);
  CHECK(whole->private_key == wanted.private_key);
  CHECK(whole->mark == wanted.mark);
  CHECK_FALSE(whole->listen_port.has_value());
  REQUIRE(whole->peers.size() == 1);
  CHECK_FALSE(whole->peers[0].update_only);
  CHECK(whole->peers[0].replace_allowed);
  CHECK(whole->peers[0].endpoint == wanted.endpoint);

  WantedDevice moved = wanted;
  moved.endpoint = IpEndpoint{ip("192.0.2.9"), 51821};
  const auto change = wg_difference(moved, as(wanted), &wanted);
  REQUIRE(change);
  CHECK_FALSE(change->private_key.has_value());
  CHECK_FALSE(change->mark.has_value());
  REQUIRE(change->peers.size() == 1);
  CHECK(change->peers[0].update_only);
  CHECK(change->peers[0].endpoint == moved.endpoint);
  CHECK_FALSE(change->peers[0].keepalive.has_value());
  CHECK_FALSE(change->peers[0].preshared.has_value());
  CHECK_FALSE(change->peers[0].replace_allowed);
  CHECK_FALSE(change->peers[0].remove);
}

TEST_CASE(
    "wg difference: an endpoint that the peer moved itself stays, an earlier run's does not") {
  const WantedDevice wanted = device();
  ports::WgState roamed = as(wanted);
  roamed.peers[0].endpoint = IpEndpoint{ip("192.0.2.77"), 40001};
  CHECK_FALSE(wg_difference(wanted, roamed, &wanted).has_value());
  const auto change = wg_difference(wanted, roamed);
  REQUIRE(change);
  CHECK(change->peers[0].endpoint == wanted.endpoint);
}

TEST_CASE("wg difference: another preshared key is seen by what was applied") {
  const WantedDevice before = device();
  WantedDevice wanted = before;
  CountedSecrets secrets;
  wanted.preshared = make_private_key(secrets);
  CHECK_FALSE(wg_difference(wanted, as(wanted)).has_value());  // the state does not tell it
  const auto change = wg_difference(wanted, as(wanted), &before);
  REQUIRE(change);
  CHECK(change->peers[0].preshared == wanted.preshared);
  ports::WgState without = as(wanted);
  without.peers[0].has_preshared = false;
  REQUIRE(wg_difference(wanted, without));
}

TEST_CASE(
    "wg difference: strange peers go, prefixes are replaced as a whole, ports only when asked") {
  WantedDevice wanted = device();
  ports::WgState actual = as(wanted);
  ports::WgPeerState other;
  other.public_key[0] = 9;
  actual.peers.push_back(other);
  actual.peers[0].allowed.pop_back();
  wanted.listen_port = 41000;
  const auto change = wg_difference(wanted, actual, nullptr);
  REQUIRE(change);
  CHECK(change->listen_port == 41000);
  REQUIRE(change->peers.size() == 2);
  CHECK(change->peers[0].replace_allowed);
  CHECK(change->peers[0].allowed == wanted.allowed);
  CHECK(change->peers[1].remove);
  CHECK(change->peers[1].public_key == other.public_key);
}

TEST_CASE("wg difference: the endpoint again, for a source address that is stuck") {
  WantedDevice wanted = device();
  const auto change = endpoint_again(wanted);
  REQUIRE(change);
  CHECK(change->peers[0].update_only);
  CHECK(change->peers[0].endpoint == wanted.endpoint);
  wanted.endpoint.reset();
  CHECK_FALSE(endpoint_again(wanted).has_value());
}

TEST_CASE("wg difference: a peer that is gone is removed, one that is not made is let be") {
  WantedDevice wanted = device();
  const ports::WgState with = as(wanted);
  ports::WgState without = with;
  without.peers.clear();
  wanted.peering = Peering::gone;
  wanted.endpoint.reset();
  const auto removal = wg_difference(wanted, with);
  REQUIRE(removal);
  REQUIRE(removal->peers.size() == 1);
  CHECK(removal->peers[0].public_key == wanted.peer);
  CHECK(removal->peers[0].remove);
  CHECK_FALSE(removal->private_key.has_value());
  CHECK_FALSE(wg_difference(wanted, without).has_value());
  CHECK_FALSE(endpoint_again(wanted).has_value());
  wanted.peering = Peering::not_made;
  CHECK_FALSE(wg_difference(wanted, with).has_value());
  CHECK_FALSE(wg_difference(wanted, without).has_value());
  const WantedDevice held = wanted;
  wanted = device();
  const auto back = wg_difference(wanted, without, &held);
  REQUIRE(back);
  REQUIRE(back->peers.size() == 1);
  CHECK(back->peers[0].endpoint == wanted.endpoint);
  CHECK_FALSE(back->peers[0].update_only);
  CHECK(endpoint_again(wanted).has_value());
}
