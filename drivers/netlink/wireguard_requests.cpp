#include "drivers/netlink/wireguard_requests.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "drivers/netlink/attributes.h"
#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

using namespace sluice::ports;

constexpr int64_t kKeepaliveSecondsMax = 65535;

Error not_accepted(std::string why) { return {ErrorKind::refused, "netlink", std::move(why)}; }

NetlinkMessage generic_message(uint16_t family, uint8_t command, uint8_t version, uint16_t flags,
                               size_t capacity) {
  NetlinkMessage message(family, flags, capacity);
  genlmsghdr fixed{};
  fixed.cmd = command;
  fixed.version = version;
  message.put_fixed(fixed);
  return message;
}

// A sockaddr as the kernel wants it.
bool put_endpoint(NetlinkMessage& message, const IpEndpoint& endpoint) {
  if (endpoint.address.family == IpAddress::Family::v4) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(endpoint.port);
    std::memcpy(&to.sin_addr, endpoint.address.bytes.data(), sizeof to.sin_addr);
    return message.put(WGPEER_A_ENDPOINT, {reinterpret_cast<const uint8_t*>(&to), sizeof to});
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(endpoint.port);
  std::memcpy(&to.sin6_addr, endpoint.address.bytes.data(), sizeof to.sin6_addr);
  return message.put(WGPEER_A_ENDPOINT, {reinterpret_cast<const uint8_t*>(&to), sizeof to});
}

bool put_allowed(NetlinkMessage& message, const IpPrefix& prefix) {
  nlattr* nest = message.begin(0);
  if (nest == nullptr) return false;
  const bool v4 = prefix.address.family == IpAddress::Family::v4;
  if (message.put_u16(WGALLOWEDIP_A_FAMILY, v4 ? AF_INET : AF_INET6) &&
      message.put(WGALLOWEDIP_A_IPADDR, octets_of(prefix.network().address)) &&
      message.put_u8(WGALLOWEDIP_A_CIDR_MASK, static_cast<uint8_t>(prefix.length))) {
    message.end(nest);
    return true;
  }
  message.cancel(nest);
  return false;
}

uint32_t peer_flags(const WgPeerChange& peer, bool first) {
  if (peer.remove) return WGPEER_F_REMOVE_ME;
  uint32_t flags = peer.update_only ? WGPEER_F_UPDATE_ONLY : 0;
  if (first && peer.replace_allowed) flags |= WGPEER_F_REPLACE_ALLOWEDIPS;
  return flags;
}

// What precedes the addresses.
bool put_peer_head(NetlinkMessage& message, const WgPeerChange& peer, bool first) {
  if (!message.put(WGPEER_A_PUBLIC_KEY, peer.public_key)) return false;
  const uint32_t flags = peer_flags(peer, first);
  if (flags != 0 && !message.put_u32(WGPEER_A_FLAGS, flags)) return false;
  if (!first || peer.remove) return true;
  if (peer.preshared && !message.put(WGPEER_A_PRESHARED_KEY, peer.preshared->reveal())) {
    return false;
  }
  if (peer.endpoint && !put_endpoint(message, *peer.endpoint)) return false;
  return !peer.keepalive ||
         message.put_u16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
                         static_cast<uint16_t>(peer.keepalive->as_us() / 1000000));
}

// Puts peers into messages, and starts another when one is full.
class SetWriter {
 public:
  SetWriter(uint16_t family, const WgChange& change, size_t message_max)
      : family_(family), name_(change.interface), message_max_(message_max) {
    start();
    NetlinkMessage& message = messages_.back();
    bool put = true;
    if (change.private_key) {
      put = message.put(WGDEVICE_A_PRIVATE_KEY, change.private_key->reveal());
    }
    if (change.listen_port) put &= message.put_u16(WGDEVICE_A_LISTEN_PORT, *change.listen_port);
    if (change.mark) put &= message.put_u32(WGDEVICE_A_FWMARK, *change.mark);
    ENSURE(put);
  }

  void add(const WgPeerChange& peer) {
    size_t next = 0;
    for (bool first = true;; first = false) {
      nlattr* nest = begin_peer(peer, first);
      next = add_allowed(peer, next);
      messages_.back().end(nest);
      if (next == peer.allowed.size() || peer.remove) return;
      close();
      start();
    }
  }

  std::vector<NetlinkMessage> take() {
    close();
    return std::move(messages_);
  }

 private:
  void start() {
    messages_.push_back(
        generic_message(family_, WG_CMD_SET_DEVICE, WG_GENL_VERSION, NLM_F_ACK, message_max_));
    ENSURE(messages_.back().put_text(WGDEVICE_A_IFNAME, name_));
    peers_ = nullptr;
  }

  void close() {
    if (peers_ != nullptr) messages_.back().end(peers_);
    peers_ = nullptr;
  }

  nlattr* try_peer(const WgPeerChange& peer, bool first) {
    NetlinkMessage& message = messages_.back();
    if (peers_ == nullptr) peers_ = message.begin(WGDEVICE_A_PEERS);
    nlattr* nest = peers_ == nullptr ? nullptr : message.begin(0);
    if (nest == nullptr) return nullptr;
    if (put_peer_head(message, peer, first)) return nest;
    message.cancel(nest);
    return nullptr;
  }

  nlattr* begin_peer(const WgPeerChange& peer, bool first) {
    nlattr* nest = try_peer(peer, first);
    if (nest != nullptr) return nest;
    close();
    start();
    nest = try_peer(peer, first);
    ENSURE(nest != nullptr);
    return nest;
  }

  // As many as fit, from `next` on; returns the first that did not.
  size_t add_allowed(const WgPeerChange& peer, size_t next) {
    if (peer.remove || next == peer.allowed.size()) return next;
    NetlinkMessage& message = messages_.back();
    nlattr* nest = message.begin(WGPEER_A_ALLOWEDIPS);
    if (nest == nullptr) return next;
    const size_t before = next;
    while (next < peer.allowed.size() && put_allowed(message, peer.allowed[next])) ++next;
    if (next == before) {
      message.cancel(nest);
    } else {
      message.end(nest);
    }
    return next;
  }

  const uint16_t family_;
  const std::string name_;
  const size_t message_max_;
  std::vector<NetlinkMessage> messages_;
  nlattr* peers_ = nullptr;  // the nest of peers of the last message; null: none begun
};

Result<void> accept(const WgChange& change) {
  if (change.interface.empty() || change.interface.size() > kInterfaceNameMax) {
    return not_accepted("an interface's name has 1 to 15 characters");
  }
  for (const WgPeerChange& peer : change.peers) {
    const int64_t keepalive = peer.keepalive ? peer.keepalive->as_us() / 1000000 : 0;
    if (keepalive < 0 || keepalive > kKeepaliveSecondsMax) {
      return not_accepted("a keepalive is 0 to 65535 seconds");
    }
    for (const IpPrefix& prefix : peer.allowed) {
      if (prefix.length < 0 || prefix.length > prefix.address.bits()) {
        return not_accepted("the length of an allowed net cannot be");
      }
    }
  }
  return {};
}

}  // namespace

NetlinkMessage family_request(std::string_view family) {
  auto message = generic_message(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK, kMessageMax);
  ENSURE(message.put_text(CTRL_ATTR_FAMILY_NAME, family));
  return message;
}

Result<std::vector<NetlinkMessage>> set_requests(uint16_t family, const WgChange& change,
                                                 size_t message_max) {
  ENSURE(message_max >= kSetMessageMin);
  if (auto accepted = accept(change); !accepted) return accepted.error();
  SetWriter writer(family, change, message_max);
  for (const WgPeerChange& peer : change.peers) writer.add(peer);
  return writer.take();
}

NetlinkMessage get_request(uint16_t family, std::string_view interface) {
  auto message =
      generic_message(family, WG_CMD_GET_DEVICE, WG_GENL_VERSION, NLM_F_DUMP, kMessageMax);
  ENSURE(message.put_text(WGDEVICE_A_IFNAME, interface.substr(0, kInterfaceNameMax)));
  return message;
}

}  // namespace sluice::drivers
