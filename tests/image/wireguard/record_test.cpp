// Records the kernel's own bytes for tests/data/netlink: prints "record NAME HEX". Left out unless
// asked for (run --record).
#include <doctest/doctest.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstdio>
#include <string>
#include <vector>

#include "drivers/netlink/reply.h"
#include "drivers/netlink/route_requests.h"
#include "drivers/netlink/wireguard_replies.h"
#include "drivers/netlink/wireguard_requests.h"
#include "tests/image/wireguard/lab.h"

using namespace sluice;
using namespace sluice::drivers;
using namespace sluice::ports;
using namespace sluice::image;

namespace {

// A socket whose answers are kept as they come.
class Recorder {
 public:
  explicit Recorder(int protocol) : socket_(mnl_socket_open2(protocol, SOCK_CLOEXEC)) {
    REQUIRE(socket_ != nullptr);
    int on = 1;
    mnl_socket_setsockopt(socket_, NETLINK_EXT_ACK, &on, sizeof on);
    mnl_socket_setsockopt(socket_, NETLINK_CAP_ACK, &on, sizeof on);
    REQUIRE(mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) == 0);
  }
  ~Recorder() { mnl_socket_close(socket_); }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // between(): after the first datagram.
  template <class Between>
  std::vector<uint8_t> ask(NetlinkMessage& message, Between&& between) {
    message.set_sequence(1);
    REQUIRE(mnl_socket_sendto(socket_, message.bytes().data(), message.bytes().size()) > 0);
    std::vector<uint8_t> all;
    std::vector<uint8_t> part(4096);
    ReplyReader reader(1);
    while (!reader.ended()) {
      const ssize_t size = mnl_socket_recvfrom(socket_, part.data(), part.size());
      REQUIRE(size > 0);
      reader.read(Octets(part).first(static_cast<size_t>(size)), [](const Reply&) {});
      if (all.empty()) between();
      all.insert(all.end(), part.begin(), part.begin() + size);
    }
    return all;
  }

 private:
  mnl_socket* socket_;
};

void print(const char* name, const std::vector<uint8_t>& bytes) {
  std::printf("record %s ", name);
  for (const uint8_t byte : bytes) std::printf("%02x", byte);
  std::printf("\n");
}

void record(Recorder& recorder, const char* name, NetlinkMessage message) {
  print(name, recorder.ask(message, [] {}));
}

// The kernel puts the next part together while one is read, so that a change between the first two
// interrupts only a dump of three.
WgChange third_part() {
  WgChange more;
  more.interface = "slw0";
  WgPeerChange& third = more.peers.emplace_back();
  third.public_key = numbered_key(3);
  for (int i = 0; i < 120; ++i) third.allowed.push_back(net("10.8." + std::to_string(i) + ".0/24"));
  return more;
}

WgChange two_peers() {
  WgChange wanted;
  wanted.interface = "slw0";
  WgKey secret{};
  for (size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<uint8_t>(i * 7);
  wanted.private_key = WgSecret(secret);
  wanted.listen_port = 51877;
  wanted.mark = 0x10000000;
  WgPeerChange& first = wanted.peers.emplace_back();
  first.public_key = numbered_key(1);
  first.preshared = WgSecret(numbered_key(77));
  first.endpoint = endpoint("10.1.0.1:51820");
  first.keepalive = Duration::seconds(25);
  for (int i = 0; i < 200; ++i) {
    first.allowed.push_back(net("10.9." + std::to_string(i) + ".0/24"));
  }
  WgPeerChange& second = wanted.peers.emplace_back();
  second.public_key = numbered_key(2);
  second.endpoint = endpoint("[2001:db8::1]:443");
  second.allowed = {net("2001:db8:1::/48")};
  return wanted;
}

void make_routes(Lab& lab) {
  const int link = lab.index_of("ua");
  REQUIRE(lab.links.apply(PutNexthop{{1001, IpAddress::Family::v4, link, {}, kOurProtocol}}));
  REQUIRE(lab.links.apply(PutNexthop{{2000, IpAddress::Family::v4, 0, {1001}, kOurProtocol}}));
  RouteState route;
  route.table = 51100;
  route.to = net("10.88.0.0/24");
  route.nexthop = 2000;
  REQUIRE(lab.links.apply(PutRoute{route}));
  RouteState last;
  last.kind = RouteKind::unreachable;
  last.table = 51100;
  last.metric = 4278198272;
  REQUIRE(lab.links.apply(PutRoute{last}));
  RuleState rule;
  rule.priority = 5120;
  rule.table = 51101;
  rule.mark = 0x02000000;
  rule.mask = 0xff000000;
  REQUIRE(lab.links.apply(AddRule{rule}));
  run("ip addr add 2001:db8::2/64 dev ua nodad");
  run("ip -6 route add default via 2001:db8::1 dev ua");
}

}  // namespace

TEST_CASE("record: the kernel's answers" * doctest::skip()) {
  Lab lab;
  REQUIRE(lab.open("slw0"));
  REQUIRE(lab.change(two_peers()));
  Recorder generic(NETLINK_GENERIC);
  NetlinkMessage ask = family_request("wireguard");
  const auto reply = generic.ask(ask, [] {});
  uint16_t family = 0;
  ReplyReader reader(1);
  reader.read(reply, [&](const Reply& one) { family = read_family(one.body); });
  REQUIRE(family != 0);
  print("family.hex", reply);
  record(generic, "family-absent.hex", family_request("wireguarx"));
  record(generic, "wireguard-fragmented.hex", get_request(family, "slw0"));
  record(generic, "wireguard-absent.hex", get_request(family, "slw9"));
  REQUIRE(lab.change(third_part()));
  NetlinkMessage torn = get_request(family, "slw0");
  print("wireguard-interrupted.hex", generic.ask(torn, [&] {
    WgChange change;
    change.interface = "slw0";
    change.peers.emplace_back().public_key = numbered_key(4);
    REQUIRE(lab.change(change));
  }));
  make_routes(lab);
  Recorder route(NETLINK_ROUTE);
  record(route, "links.hex", dump_request(RTM_GETLINK, AF_UNSPEC));
  record(route, "addresses.hex", dump_request(RTM_GETADDR, AF_UNSPEC));
  record(route, "routes4.hex", dump_request(RTM_GETROUTE, AF_INET));
  record(route, "routes6.hex", dump_request(RTM_GETROUTE, AF_INET6));
  record(route, "rules4.hex", dump_request(RTM_GETRULE, AF_INET));
  record(route, "nexthops.hex", dump_request(RTM_GETNEXTHOP, AF_UNSPEC));
  RouteState unknown;
  unknown.to = net("10.1.2.0/24");
  unknown.nexthop = 77;
  auto refused = change_request(PutRoute{unknown});
  REQUIRE(refused);
  record(route, "refused.hex", std::move(*refused));
  record(route, "acknowledged.hex", make_link_request("slw1", "wireguard"));
}
