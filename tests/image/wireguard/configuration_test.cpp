// What is set is what is there, by the backend's own reading and by wg(8).
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/image/wireguard/lab.h"

using namespace sluice;
using namespace sluice::ports;
using namespace sluice::image;

namespace {

WgPeerChange peer_of(const WgKey& key) {
  WgPeerChange peer;
  peer.public_key = key;
  return peer;
}

std::vector<IpPrefix> sorted(std::vector<IpPrefix> prefixes) {
  std::sort(prefixes.begin(), prefixes.end());
  return prefixes;
}

const WgPeerState* find(const WgState& state, const WgKey& key) {
  for (const WgPeerState& peer : state.peers) {
    if (peer.public_key == key) return &peer;
  }
  return nullptr;
}

std::vector<IpPrefix> many_prefixes(int count) {
  std::vector<IpPrefix> out;
  for (int i = 0; i < count; ++i) {
    IpPrefix prefix = net("10.128.0.0/32");
    prefix.address.bytes[1] = static_cast<uint8_t>(128 + i / 65536);
    prefix.address.bytes[2] = static_cast<uint8_t>(i / 256);
    prefix.address.bytes[3] = static_cast<uint8_t>(i);
    out.push_back(prefix);
  }
  return out;
}

}  // namespace

TEST_CASE("create: an interface that is down, empty and shown by ip and wg") {
  Lab lab;
  REQUIRE(lab.open("slw0"));
  REQUIRE(lab.open("slw0"));  // there already
  const auto state = lab.read("slw0");
  REQUIRE(state);
  CHECK(state->interface == "slw0");
  CHECK(state->public_key == WgKey{});
  CHECK(state->peers.empty());
  CHECK(run("wg show interfaces").find("slw0") != std::string::npos);
  CHECK(run("ip -o link show dev slw0").find("state DOWN") != std::string::npos);
}

TEST_CASE("configuration: every field is read back as it was set, and wg shows the same") {
  Lab lab;
  const KeyPair keys = new_keys();
  REQUIRE(lab.open("slw0"));
  WgChange wanted;
  wanted.interface = "slw0";
  wanted.private_key = keys.secret;
  wanted.listen_port = 51877;
  wanted.mark = 0x10000000;
  WgPeerChange& full = wanted.peers.emplace_back(peer_of(numbered_key(1)));
  full.preshared = new_keys().secret;
  full.endpoint = endpoint("10.1.0.1:51820");
  full.keepalive = Duration::seconds(25);
  full.allowed = {net("10.88.0.0/24"), net("0.0.0.0/0"), net("2001:db8::/32")};
  WgPeerChange& six = wanted.peers.emplace_back(peer_of(numbered_key(2)));
  six.endpoint = endpoint("[2001:db8::1]:443");
  REQUIRE(lab.change(wanted));
  const auto state = lab.read("slw0");
  REQUIRE(state);
  CHECK(state->public_key == keys.open);
  CHECK(state->listen_port == 51877);
  CHECK(state->mark == 0x10000000);
  REQUIRE(state->peers.size() == 2);
  const WgPeerState* peer = find(*state, numbered_key(1));
  REQUIRE(peer != nullptr);
  CHECK(peer->has_preshared);
  CHECK(peer->endpoint == endpoint("10.1.0.1:51820"));
  CHECK(peer->keepalive == Duration::seconds(25));
  CHECK_FALSE(peer->last_handshake);
  CHECK(sorted(peer->allowed) ==
        sorted({net("10.88.0.0/24"), net("0.0.0.0/0"), net("2001:db8::/32")}));
  const WgPeerState* other = find(*state, numbered_key(2));
  REQUIRE(other != nullptr);
  CHECK_FALSE(other->has_preshared);
  CHECK(other->endpoint == endpoint("[2001:db8::1]:443"));
  CHECK(other->keepalive.is_zero());
  CHECK(other->allowed.empty());
  const std::string shown = run("wg show slw0 dump");
  CHECK(shown.find(wg_key_text(keys.open) + "\t51877\t0x10000000") != std::string::npos);
  CHECK(shown.find("\t10.1.0.1:51820\t") != std::string::npos);
  CHECK(shown.find("\t[2001:db8::1]:443\t(none)\t0\t0\t0\toff") != std::string::npos);
}

TEST_CASE("configuration: unnamed peers stay; update-only and removal of strangers do nothing") {
  Lab lab;
  REQUIRE(lab.open("slw0"));
  WgChange first;
  first.interface = "slw0";
  first.peers.push_back(peer_of(numbered_key(1)));
  first.peers.back().allowed = {net("10.1.1.0/24"), net("10.1.2.0/24")};
  first.peers.push_back(peer_of(numbered_key(2)));
  REQUIRE(lab.change(first));
  WgChange second;
  second.interface = "slw0";
  second.peers.push_back(peer_of(numbered_key(1)));
  second.peers.back().replace_allowed = true;
  second.peers.back().allowed = {net("10.1.3.0/24")};
  second.peers.push_back(peer_of(numbered_key(3)));
  second.peers.back().update_only = true;
  second.peers.back().allowed = many_prefixes(3000);  // several messages
  second.peers.push_back(peer_of(numbered_key(4)));
  second.peers.back().remove = true;
  REQUIRE(lab.change(second));
  auto state = lab.read("slw0");
  REQUIRE(state);
  CHECK(state->peers.size() == 2);
  CHECK(find(*state, numbered_key(2)) != nullptr);
  REQUIRE(find(*state, numbered_key(1)) != nullptr);
  CHECK(find(*state, numbered_key(1))->allowed == std::vector<IpPrefix>{net("10.1.3.0/24")});
  WgChange third;
  third.interface = "slw0";
  third.peers.push_back(peer_of(numbered_key(2)));
  third.peers.back().remove = true;
  REQUIRE(lab.change(third));
  state = lab.read("slw0");
  REQUIRE(state);
  CHECK(state->peers.size() == 1);
}

TEST_CASE("fragments: 3,000 addresses of one peer are set, replaced and read back") {
  Lab lab;
  REQUIRE(lab.open("slw0"));
  WgChange wanted;
  wanted.interface = "slw0";
  wanted.peers.push_back(peer_of(numbered_key(1)));
  wanted.peers.back().replace_allowed = true;
  wanted.peers.back().allowed = many_prefixes(3000);
  wanted.peers.push_back(peer_of(numbered_key(2)));
  wanted.peers.back().allowed = {net("10.77.0.0/16")};
  for (int i = 0; i < 2; ++i) {
    REQUIRE(lab.change(wanted));
    const auto state = lab.read("slw0");
    REQUIRE(state);
    REQUIRE(state->peers.size() == 2);
    CHECK(sorted(find(*state, numbered_key(1))->allowed) == many_prefixes(3000));
    CHECK(find(*state, numbered_key(2))->allowed.size() == 1);
  }
}

TEST_CASE("fragments: 2,000 peers are set in one change and read back whole") {
  Lab lab;
  REQUIRE(lab.open("slw0"));
  WgChange wanted;
  wanted.interface = "slw0";
  const auto prefixes = many_prefixes(2000);
  for (int i = 0; i < 2000; ++i) {
    WgPeerChange& peer = wanted.peers.emplace_back(peer_of(numbered_key(i)));
    peer.endpoint = endpoint("10.1.0.1:51820");
    peer.keepalive = Duration::seconds(25);
    peer.allowed = {prefixes[static_cast<size_t>(i)]};
  }
  const Instant start = lab.clock.now();
  REQUIRE(lab.change(wanted));
  const Instant set = lab.clock.now();
  const auto state = lab.read("slw0");
  const Instant end = lab.clock.now();
  REQUIRE(state);
  MESSAGE("2,000 peers: set ", (set - start).as_ms(), " ms, read ", (end - set).as_ms(), " ms");
  REQUIRE(state->peers.size() == 2000);
  for (int i = 0; i < 2000; ++i) {
    const WgPeerState* peer = find(*state, numbered_key(i));
    REQUIRE(peer != nullptr);
    CHECK(peer->allowed == std::vector<IpPrefix>{prefixes[static_cast<size_t>(i)]});
    CHECK(peer->endpoint == endpoint("10.1.0.1:51820"));
  }
}

TEST_CASE("refusals: a taken port, a taken name, and what is not open, with words") {
  Lab lab;
  REQUIRE(lab.open("slw0"));
  REQUIRE(lab.open("slw1"));
  REQUIRE(lab.links.apply(SetLink{lab.index_of("slw0"), true, 0}));
  REQUIRE(lab.links.apply(SetLink{lab.index_of("slw1"), true, 0}));
  WgChange wanted;
  wanted.interface = "slw0";
  wanted.listen_port = 51820;
  REQUIRE(lab.change(wanted));
  wanted.interface = "slw1";
  const auto taken = lab.change(wanted);
  REQUIRE_FALSE(taken);
  INFO(taken.error().text);
  CHECK(taken.error().kind == ErrorKind::refused);
  CHECK(taken.error().text.find("port") != std::string::npos);
  const auto foreign = lab.open("ua");
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().kind == ErrorKind::refused);
  wanted.interface = "slw9";
  const auto absent = lab.change(wanted);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().kind == ErrorKind::gone);
  REQUIRE_FALSE(lab.read("slw9"));
}

TEST_CASE("teardown: the interface goes, removing twice is no error, others stay") {
  Lab lab;
  REQUIRE(lab.open("slw0"));
  REQUIRE(lab.open("slw1"));
  REQUIRE(lab.remove("slw0"));
  REQUIRE(lab.remove("slw0"));
  CHECK(try_command("ip link show dev slw0").status != 0);
  CHECK(try_command("ip link show dev slw1").status == 0);
  REQUIRE_FALSE(lab.read("slw0"));
  static_cast<void>(lab.remove("ua"));  // it is none of ours, and stays
  CHECK(try_command("ip link show dev ua").status == 0);
}
