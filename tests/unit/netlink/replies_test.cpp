// What a kernel said, as recorded, and what it could say: to values.
#include <doctest/doctest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "drivers/netlink/reply.h"
#include "drivers/netlink/route_replies.h"
#include "drivers/netlink/wireguard_replies.h"
#include "tests/unit/netlink/vectors.h"

using namespace sluice;
using namespace sluice::drivers;
using namespace sluice::ports;

namespace {

struct Heard {
  Answer answer;
  bool ended = false;
  std::vector<Reply> replies;  // bodies live in the bytes
};

Heard read_all(Octets bytes, uint32_t sequence = 1) {
  Heard heard;
  ReplyReader reader(sequence);
  reader.read(bytes, [&](const Reply& reply) { heard.replies.push_back(reply); });
  heard.ended = reader.ended();
  heard.answer = reader.answer();
  return heard;
}

NetworkState network_of(const std::vector<std::string>& files) {
  NetworkState state;
  for (const std::string& file : files) {
    const auto bytes = recorded(file);
    const Heard heard = read_all(bytes);
    CHECK(heard.ended);
    CHECK(heard.answer.code == 0);
    for (const Reply& reply : heard.replies) add_to(state, reply);
  }
  return state;
}

WgState wireguard_of(Octets bytes) {
  WgState state;
  for (const Reply& reply : read_all(bytes).replies) add_to(state, reply.body);
  return state;
}

IpPrefix net(std::string_view text) {
  const auto prefix = IpPrefix::parse(text);
  REQUIRE(prefix);
  return *prefix;
}

// A message as the kernel would put it together.
std::vector<uint8_t> message(uint16_t type, uint16_t flags, const std::vector<uint8_t>& body,
                             uint32_t sequence = 1) {
  nlmsghdr head{};
  head.nlmsg_len = static_cast<uint32_t>(sizeof head + body.size());
  head.nlmsg_type = type;
  head.nlmsg_flags = flags;
  head.nlmsg_seq = sequence;
  std::vector<uint8_t> out(sizeof head);
  std::memcpy(out.data(), &head, sizeof head);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

std::vector<uint8_t> number(int32_t value) {
  std::vector<uint8_t> out(sizeof value);
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

}  // namespace

TEST_CASE("replies: a recorded picture of links, addresses, routes, rules and nexthops") {
  const NetworkState state = network_of(
      {"links.hex", "addresses.hex", "routes4.hex", "routes6.hex", "rules4.hex", "nexthops.hex"});
  REQUIRE(state.links.size() == 4);
  CHECK(state.links[0].name == "lo");
  CHECK(state.links[0].loopback);
  CHECK(state.links[0].addresses == std::vector<IpPrefix>{net("10.88.0.2/32")});
  const LinkState& wire = state.links[1];
  CHECK(wire.name == "ua");
  CHECK(wire.kind == "veth");
  CHECK(wire.up);
  CHECK(wire.carrier);
  CHECK(wire.mtu == 1500);
  CHECK(wire.addresses == std::vector<IpPrefix>{net("10.1.0.2/24"), net("2001:db8::2/64")});
  CHECK(state.links[3].name == "slw0");
  CHECK(state.links[3].kind == "wireguard");
  CHECK_FALSE(state.links[3].up);
  CHECK(state.links[3].mtu == 1420);
  REQUIRE(state.rules.size() == 1);
  CHECK(state.rules[0].priority == 5120);
  CHECK(state.rules[0].table == 51101);
  CHECK(state.rules[0].mark == 0x02000000);
  CHECK(state.rules[0].mask == 0xff000000);
  REQUIRE(state.nexthops.size() == 2);
  CHECK(state.nexthops[0].link == wire.index);
  CHECK(state.nexthops[1].group == std::vector<uint32_t>{1001});
  const auto has = [&](auto&& wanted) {
    return std::any_of(state.routes.begin(), state.routes.end(), wanted);
  };
  CHECK(has([](const RouteState& r) {
    return r.kind == RouteKind::unreachable && r.table == 51100 && r.metric == 4278198272 &&
           r.to.length == 0 && r.protocol == kOurProtocol && r.link == 0;
  }));
  CHECK(has([](const RouteState& r) { return r.nexthop == 2000 && r.link == 0 && !r.gateway; }));
  CHECK(has([&](const RouteState& r) {
    return r.family == IpAddress::Family::v6 && r.to.length == 0 &&
           r.gateway == IpAddress::parse("2001:db8::1") && r.link == wire.index;
  }));
}

TEST_CASE("replies: a recorded WireGuard dump joins the parts of a peer") {
  const auto bytes = recorded("wireguard-fragmented.hex");
  const Heard heard = read_all(bytes);
  CHECK(heard.ended);
  CHECK(heard.answer.code == 0);
  CHECK_FALSE(heard.answer.interrupted);
  CHECK(heard.replies.size() >= 2);
  const WgState state = wireguard_of(bytes);
  CHECK(state.interface == "slw0");
  CHECK(state.listen_port == 51877);
  CHECK(state.mark == 0x10000000);
  CHECK(state.public_key != WgKey{});
  REQUIRE(state.peers.size() == 2);
  CHECK(state.peers[0].allowed.size() == 200);
  CHECK(state.peers[0].has_preshared);
  CHECK(state.peers[0].endpoint == IpEndpoint::parse("10.1.0.1:51820"));
  CHECK(state.peers[0].keepalive == Duration::seconds(25));
  CHECK_FALSE(state.peers[0].last_handshake);
  CHECK(state.peers[1].endpoint == IpEndpoint::parse("[2001:db8::1]:443"));
  CHECK(state.peers[1].allowed == std::vector<IpPrefix>{net("2001:db8:1::/48")});
}

TEST_CASE("replies: peers of equal key are one only from one message to the next") {
  const auto bytes = recorded("wireguard-fragmented.hex");
  const Heard heard = read_all(bytes);
  REQUIRE(heard.replies.size() >= 2);
  WgState state;
  add_to(state, heard.replies[0].body);
  const size_t once = state.peers.size();
  add_to(state, heard.replies[0].body);  // begins with a key that is the last one's if it goes on
  CHECK(state.peers.size() == 2 * once - 1);
}

TEST_CASE("replies: a recorded dump that a change interrupted says so") {
  const auto bytes = recorded("wireguard-interrupted.hex");
  const Heard heard = read_all(bytes);
  CHECK(heard.ended);
  CHECK(heard.answer.interrupted);
}

TEST_CASE("replies: recorded acknowledgements, errors and the kernel's words") {
  CHECK(read_all(recorded("acknowledged.hex")).answer.code == 0);
  CHECK(read_all(recorded("acknowledged.hex")).ended);
  const auto refused = recorded("refused.hex");
  CHECK(read_all(refused).answer.code == EINVAL);
  CHECK(read_all(refused).answer.words == "Nexthop id does not exist");
  CHECK(read_all(recorded("family-absent.hex")).answer.code == ENOENT);
  CHECK(read_all(recorded("wireguard-absent.hex")).answer.code == ENODEV);
  const auto family = recorded("family.hex");
  REQUIRE(read_all(family).replies.size() == 1);
  CHECK(read_family(read_all(family).replies[0].body) == 0x20);
}

TEST_CASE("replies: an answer that is cut anywhere is broken or unfinished, never whole") {
  const auto bytes = recorded("wireguard-fragmented.hex");
  for (size_t length = 0; length < bytes.size(); ++length) {
    const Heard heard = read_all(Octets(bytes).first(length));
    if (heard.ended) CHECK(heard.answer.code == EBADMSG);
  }
}

TEST_CASE("replies: a dump may end with an error, and answers of other requests are passed over") {
  const auto failed = message(NLMSG_DONE, NLM_F_MULTI, number(-ENOMEM));
  CHECK(read_all(failed).answer.code == ENOMEM);
  const auto empty = message(NLMSG_DONE, NLM_F_MULTI, {});
  CHECK(read_all(empty).ended);
  CHECK(read_all(empty).answer.code == 0);
  const auto positive = message(NLMSG_DONE, NLM_F_MULTI, number(7));
  CHECK(read_all(positive).answer.code == EBADMSG);
  auto late = message(NLMSG_ERROR, 0, number(-EPERM), 4);
  CHECK_FALSE(read_all(late).ended);
  const auto own = message(NLMSG_DONE, 0, number(0));
  late.insert(late.end(), own.begin(), own.end());
  CHECK(read_all(late).answer.code == 0);
  CHECK(read_all(late).ended);
}

TEST_CASE("replies: words behind a request that came back whole are found, and made printable") {
  nlmsgerr error{};
  error.error = -EINVAL;
  error.msg.nlmsg_len = 20;  // header and four bytes
  std::vector<uint8_t> body(sizeof error + 4);
  std::memcpy(body.data(), &error, sizeof error);
  const std::string words("bad\nvalue", 10);
  nlattr head{static_cast<uint16_t>(NLA_HDRLEN + words.size()), NLMSGERR_ATTR_MSG};
  const auto* bytes = reinterpret_cast<const uint8_t*>(&head);
  body.insert(body.end(), bytes, bytes + sizeof head);
  body.insert(body.end(), words.begin(), words.end());
  const auto whole = message(NLMSG_ERROR, NLM_F_ACK_TLVS, body);
  CHECK(read_all(whole).answer.words == "bad?value");
  const auto silent = message(NLMSG_ERROR, 0, body);
  CHECK(read_all(silent).answer.words.empty());
}

TEST_CASE("errors: the kind says what to do") {
  const auto kind = [](int code) { return kernel_error("x", {code, {}, false}).kind; };
  CHECK(kind(ENODEV) == ErrorKind::gone);
  CHECK(kind(EOPNOTSUPP) == ErrorKind::unsupported);
  CHECK(kind(EAGAIN) == ErrorKind::busy);
  CHECK(kind(ETIMEDOUT) == ErrorKind::busy);
  CHECK(kind(EBADMSG) == ErrorKind::broken);
  CHECK(kind(EINVAL) == ErrorKind::refused);
  CHECK(kernel_error("x", {EPERM, {}, false}).text.find("CAP_NET_ADMIN") != std::string::npos);
}
