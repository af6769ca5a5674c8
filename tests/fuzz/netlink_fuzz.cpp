// What the kernel answers: acknowledgements, dumps of the network and of WireGuard. Bytes in one
// piece or in several give the same; what was read keeps its bounds.
#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "drivers/netlink/reply.h"
#include "drivers/netlink/route_replies.h"
#include "drivers/netlink/wireguard_replies.h"
#include "firmware/base/check.h"

namespace {

using namespace sluice;
using namespace sluice::drivers;

struct Picture {
  ports::NetworkState network;
  ports::WgState wireguard;
  uint64_t families = 0;
  bool ended = false;
  Answer answer;
};

void add(Picture& picture, const Reply& reply) {
  add_to(picture.network, reply);
  add_to(picture.wireguard, reply.body);
  picture.families += read_family(reply.body);
}

Picture read_whole(Octets bytes, uint32_t sequence) {
  Picture picture;
  ReplyReader reader(sequence);
  reader.read(bytes, [&](const Reply& reply) { add(picture, reply); });
  picture.ended = reader.ended();
  picture.answer = reader.answer();
  return picture;
}

size_t padded(size_t length) { return (length + 3) / 4 * 4; }

// Each message as a datagram of its own.
Picture read_apart(Octets bytes, uint32_t sequence) {
  Picture picture;
  ReplyReader reader(sequence);
  while (!bytes.empty() && !reader.ended()) {
    size_t size = bytes.size();
    if (const auto head = fixed_at<nlmsghdr>(bytes)) {
      const size_t length = head->nlmsg_len;
      if (length >= NLMSG_HDRLEN && length <= size) size = std::min(size, padded(length));
    }
    reader.read(bytes.first(size), [&](const Reply& reply) { add(picture, reply); });
    bytes = bytes.subspan(size);
  }
  picture.ended = reader.ended();
  picture.answer = reader.answer();
  return picture;
}

void check_prefix(const IpPrefix& prefix) {
  ENSURE(prefix.length >= 0 && prefix.length <= prefix.address.bits());
}

void check(const Picture& picture) {
  for (const auto& link : picture.network.links) {
    ENSURE(link.index > 0);
    for (const IpPrefix& address : link.addresses) check_prefix(address);
  }
  for (const auto& route : picture.network.routes) {
    check_prefix(route.to);
    ENSURE(route.to.address.family == route.family);
    ENSURE(!route.gateway || route.gateway->family == route.family);
    ENSURE(!route.source || route.source->family == route.family);
    ENSURE(route.table == ports::kMainTable || route.protocol == ports::kOurProtocol);
    ENSURE(route.nexthop == 0 || (route.link == 0 && !route.gateway));
  }
  for (const auto& rule : picture.network.rules) {
    ENSURE(rule.protocol == ports::kOurProtocol);
    if (rule.to) check_prefix(*rule.to);
  }
  for (const auto& nexthop : picture.network.nexthops) ENSURE(nexthop.id != 0);
  for (const auto& peer : picture.wireguard.peers) {
    ENSURE(!peer.last_handshake || peer.last_handshake->as_us() >= 0);
    for (const IpPrefix& prefix : peer.allowed) check_prefix(prefix);
  }
  ENSURE(picture.answer.code >= 0);
  ENSURE(picture.answer.words.size() <= kKernelWordsMax);
  for (const char c : picture.answer.words) ENSURE(c >= ' ' && c <= '~');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const Octets all(bytes, size);
  const auto head = fixed_at<nlmsghdr>(all);
  const uint32_t sequence = head ? head->nlmsg_seq : 0;
  Picture whole = read_whole(all, sequence);
  const Picture apart = read_apart(all, sequence);
  check(whole);
  ENSURE(whole.ended == apart.ended);
  ENSURE(whole.answer.code == apart.answer.code);
  ENSURE(whole.answer.words == apart.answer.words);
  ENSURE(whole.answer.interrupted == apart.answer.interrupted);
  ENSURE(whole.families == apart.families);
  ENSURE(whole.network.links == apart.network.links);
  ENSURE(whole.network.routes == apart.network.routes);
  ENSURE(whole.network.rules == apart.network.rules);
  ENSURE(whole.network.nexthops == apart.network.nexthops);
  ENSURE(whole.wireguard.peers.size() == apart.wireguard.peers.size());
  // As if it were the inside of one message.
  add_to(whole.wireguard, all);
  check(whole);
  return 0;
}
