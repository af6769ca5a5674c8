// Every message that is sent, byte by byte, against tests/data/netlink/requests.txt.
#include <doctest/doctest.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "drivers/netlink/route_requests.h"
#include "drivers/netlink/wireguard_requests.h"
#include "tests/unit/netlink/vectors.h"

using namespace sluice;
using namespace sluice::drivers;
using namespace sluice::ports;

namespace {

constexpr uint16_t kFamily = 0x20;

using Sent = std::vector<std::pair<std::string, std::string>>;  // name, digits

IpPrefix net(std::string_view text) {
  const auto prefix = IpPrefix::parse(text);
  REQUIRE(prefix);
  return *prefix;
}

void add(Sent& sent, std::string name, const NetlinkMessage& message) {
  sent.emplace_back(std::move(name), hex_of(message.bytes()));
}

void add(Sent& sent, std::string name, const NetworkChange& change) {
  const auto message = change_request(change);
  REQUIRE(message);
  add(sent, std::move(name), *message);
}

RouteState route_of(std::string_view to, uint32_t table) {
  RouteState route;
  route.to = net(to);
  route.family = route.to.address.family;
  route.table = table;
  return route;
}

void add_links(Sent& sent) {
  add(sent, "link up with mtu", SetLink{7, true, 1412});
  add(sent, "link down", SetLink{7, false, 0});
  add(sent, "link removed", RemoveLink{7});
  add(sent, "address v4 added", AddAddress{7, net("10.88.0.2/32")});
  add(sent, "address v6 added", AddAddress{7, net("2001:db8::2/64")});
  add(sent, "address v4 removed", RemoveAddress{7, net("10.88.0.2/32")});
  add(sent, "link asked by name", link_request("slw0"));
  add(sent, "wireguard link made", make_link_request("slw0", "wireguard"));
  add(sent, "wireguard link that cannot be", absurd_link_request("wireguard"));
}

void add_routes(Sent& sent) {
  RouteState inner = route_of("10.88.0.0/24", 51100);
  inner.nexthop = 0x511f0000;
  inner.source = net("10.88.0.2/32").address;
  add(sent, "route by group", PutRoute{inner});
  add(sent, "route by group removed", RemoveRoute{inner});
  RouteState last = route_of("0.0.0.0/0", 51100);
  last.kind = RouteKind::unreachable;
  last.metric = 4278198272;
  add(sent, "route unreachable default", PutRoute{last});
  add(sent, "route unreachable default removed", RemoveRoute{last});
  RouteState uplink = route_of("0.0.0.0/0", 51110);
  uplink.gateway = net("192.0.2.1/32").address;
  uplink.link = 3;
  add(sent, "route by gateway", PutRoute{uplink});
  RouteState uplink6 = route_of("::/0", 51110);
  uplink6.gateway = net("2001:db8::1/128").address;
  uplink6.link = 3;
  uplink6.metric = 50;
  add(sent, "route v6 by gateway", PutRoute{uplink6});
  RouteState direct = route_of("10.88.0.0/24", kMainTable);
  direct.link = 7;
  add(sent, "route onto a link", PutRoute{direct});
  RouteState hole = route_of("10.9.0.0/16", 51100);
  hole.kind = RouteKind::blackhole;
  add(sent, "route blackhole", PutRoute{hole});
}

void add_rules(Sent& sent) {
  RuleState marked;
  marked.priority = 5120;
  marked.table = 51101;
  marked.mark = 0x02000000;
  marked.mask = 0xff000000;
  add(sent, "rule by mark", AddRule{marked});
  add(sent, "rule by mark removed", RemoveRule{marked});
  RuleState network;
  network.priority = 5130;
  network.table = 51100;
  network.to = net("10.88.0.0/24");
  add(sent, "rule by destination", AddRule{network});
  NexthopState single{0x51100003, IpAddress::Family::v4, 7, {}, kOurProtocol};
  add(sent, "nexthop onto a link", PutNexthop{single});
  NexthopState group{0x511f0000, IpAddress::Family::v4, 0, {0x51100003}, kOurProtocol};
  add(sent, "nexthop group of one", PutNexthop{group});
  group.group.push_back(0x51100004);
  add(sent, "nexthop group of two", PutNexthop{group});
  add(sent, "nexthop removed", RemoveNexthop{0x511f0000});
}

void add_dumps(Sent& sent) {
  add(sent, "dump of links", dump_request(RTM_GETLINK, AF_UNSPEC));
  add(sent, "dump of addresses", dump_request(RTM_GETADDR, AF_UNSPEC));
  add(sent, "dump of routes v4", dump_request(RTM_GETROUTE, AF_INET));
  add(sent, "dump of routes v6", dump_request(RTM_GETROUTE, AF_INET6));
  add(sent, "dump of rules v4", dump_request(RTM_GETRULE, AF_INET));
  add(sent, "dump of rules v6", dump_request(RTM_GETRULE, AF_INET6));
  add(sent, "dump of nexthops", dump_request(RTM_GETNEXTHOP, AF_UNSPEC));
}

WgKey key_of(uint8_t byte) {
  WgKey key;
  key.fill(byte);
  return key;
}

WgChange full_change() {
  WgChange change;
  change.interface = "slw0";
  change.private_key = WgSecret(key_of(0xa1));
  change.listen_port = 51820;
  change.mark = 0x10000000;
  WgPeerChange& peer = change.peers.emplace_back();
  peer.public_key = key_of(0xb2);
  peer.preshared = WgSecret(key_of(0xc3));
  peer.endpoint = IpEndpoint::parse("192.0.2.1:51820");
  peer.keepalive = Duration::seconds(25);
  peer.replace_allowed = true;
  peer.allowed = {net("10.88.0.0/24"), net("2001:db8::/32")};
  return change;
}

void add_sets(Sent& sent, const std::string& name, const WgChange& change, size_t message_max) {
  const auto messages = set_requests(kFamily, change, message_max);
  REQUIRE(messages);
  for (size_t i = 0; i < messages->size(); ++i) {
    const std::string part = messages->size() > 1 ? ", part " + std::to_string(i + 1) : "";
    add(sent, name + part, (*messages)[i]);
  }
}

void add_wireguard(Sent& sent) {
  add(sent, "family asked", family_request("wireguard"));
  add(sent, "wireguard asked", get_request(kFamily, "slw0"));
  add_sets(sent, "wireguard set", full_change(), kSetMessageMax);
  add_sets(sent, "wireguard set in parts", full_change(), kSetMessageMin);
  WgChange change;
  change.interface = "slw0";
  change.peers.emplace_back().public_key = key_of(0xd4);
  change.peers.back().remove = true;
  change.peers.back().allowed = {net("10.0.0.0/8")};  // says nothing in a removal
  WgPeerChange& update = change.peers.emplace_back();
  update.public_key = key_of(0xe5);
  update.update_only = true;
  update.endpoint = IpEndpoint::parse("[2001:db8::1]:443");
  add_sets(sent, "wireguard peer removed, other updated", change, kSetMessageMax);
  WgChange cleared;
  cleared.interface = "slw0";
  cleared.private_key = WgSecret();
  cleared.listen_port = 0;
  cleared.mark = 0;
  add_sets(sent, "wireguard keyless, any port, no mark", cleared, kSetMessageMax);
}

// For the file, when a message is to look otherwise: 48 bytes a line.
std::string as_file(const Sent& sent) {
  std::string out;
  for (const auto& [name, digits] : sent) {
    out += "# " + name + "\n";
    for (size_t i = 0; i < digits.size(); i += 96) out += digits.substr(i, 96) + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("requests: every message is byte by byte the recorded one, and none is missing") {
  Sent sent;
  add_links(sent);
  add_routes(sent);
  add_rules(sent);
  add_dumps(sent);
  add_wireguard(sent);
  const auto expected = named_vectors("requests.txt");
  bool same = expected.size() == sent.size();
  CHECK(expected.size() == sent.size());
  for (const auto& [name, digits] : sent) {
    INFO(name);
    const auto found = expected.find(name);
    const bool equal = found != expected.end() && found->second == digits;
    CHECK(equal);
    same &= equal;
  }
  if (same) return;
  std::ofstream("requests.txt") << as_file(sent);
  MESSAGE("what is sent now was written to requests.txt in the build folder");
}

TEST_CASE("requests: a peer cut in parts says once what is said once, and its kind in every part") {
  WgChange change;
  change.interface = "slw0";
  WgPeerChange& peer = change.peers.emplace_back();
  peer.public_key = key_of(0xb2);
  peer.preshared = WgSecret(key_of(0xc3));
  peer.update_only = true;
  peer.replace_allowed = true;
  for (int i = 0; i < 40; ++i) peer.allowed.push_back(net("10.0." + std::to_string(i) + ".0/24"));
  const auto messages = set_requests(kFamily, change, kSetMessageMin);
  REQUIRE(messages);
  REQUIRE(messages->size() > 3);
  const std::string update_and_replace = "0800030006000000";
  const std::string update = "0800030004000000";
  const std::string preshared = "24000200" + hex_of(key_of(0xc3));
  for (size_t i = 0; i < messages->size(); ++i) {
    const std::string digits = hex_of((*messages)[i].bytes());
    CHECK((*messages)[i].bytes().size() <= kSetMessageMin);
    CHECK((digits.find(update_and_replace) != std::string::npos) == (i == 0));
    CHECK((digits.find(update) != std::string::npos) == (i != 0));
    CHECK((digits.find(preshared) != std::string::npos) == (i == 0));
  }
}

TEST_CASE("requests: what cannot be is refused before anything is sent") {
  const auto refused = [](const NetworkChange& change) {
    const auto message = change_request(change);
    return !message && message.error().kind == ErrorKind::refused;
  };
  CHECK(refused(SetLink{0, true, 0}));
  CHECK(refused(RemoveLink{-1}));
  CHECK(refused(AddAddress{7, {net("10.0.0.1/32").address, 33}}));
  RouteState route = route_of("10.0.0.0/8", 1);
  route.family = IpAddress::Family::v6;
  CHECK(refused(PutRoute{route}));
  CHECK(refused(PutNexthop{{0, IpAddress::Family::v4, 7, {}, kOurProtocol}}));
  CHECK(refused(PutNexthop{
      {1, IpAddress::Family::v4, 0, std::vector<uint32_t>(kGroupMax + 1, 2), kOurProtocol}}));
  WgChange change = full_change();
  change.peers[0].keepalive = Duration::seconds(65536);
  CHECK_FALSE(set_requests(kFamily, change));
  change = full_change();
  change.interface = "sixteen-letters!";
  CHECK_FALSE(set_requests(kFamily, change));
}

TEST_CASE("requests: 2,000 peers fit messages of their bound, each peer whole in one") {
  WgChange change;
  change.interface = "slw0";
  for (int i = 0; i < 2000; ++i) {
    WgPeerChange& peer = change.peers.emplace_back();
    peer.public_key = key_of(static_cast<uint8_t>(i));
    peer.public_key[1] = static_cast<uint8_t>(i >> 8);
    peer.endpoint = IpEndpoint::parse("192.0.2.1:51820");
    peer.allowed = {net("10.0.0.1/32")};
  }
  const auto messages = set_requests(kFamily, change);
  REQUIRE(messages);
  CHECK(messages->size() > 20);
  size_t endpoints = 0;
  for (const NetlinkMessage& message : *messages) {
    CHECK(message.bytes().size() <= kSetMessageMax);
    const std::string digits = hex_of(message.bytes());
    for (size_t at = 0; (at = digits.find("14000400", at)) != std::string::npos; ++at) ++endpoints;
  }
  CHECK(endpoints == 2000);
}
