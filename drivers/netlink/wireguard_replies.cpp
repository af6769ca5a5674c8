#include "drivers/netlink/wireguard_replies.h"

#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>

namespace sluice::drivers {

namespace {

using namespace sluice::ports;

// linux/time_types.h: struct __kernel_timespec.
struct Moment {
  int64_t seconds;
  int64_t nanoseconds;
};
constexpr int64_t kSecondsMax = std::numeric_limits<int64_t>::max() / 1000000 - 1;

std::optional<IpEndpoint> read_endpoint(Octets value) {
  IpEndpoint out;
  if (const auto from = fixed_at<sockaddr_in>(value); from && from->sin_family == AF_INET) {
    std::memcpy(out.address.bytes.data(), &from->sin_addr, sizeof from->sin_addr);
    out.port = ntohs(from->sin_port);
    return out;
  }
  const auto from = fixed_at<sockaddr_in6>(value);
  if (!from || from->sin6_family != AF_INET6) return {};
  out.address.family = IpAddress::Family::v6;
  std::memcpy(out.address.bytes.data(), &from->sin6_addr, sizeof from->sin6_addr);
  out.port = ntohs(from->sin6_port);
  return out;
}

std::optional<Date> read_moment(Octets value) {
  const auto moment = fixed_at<Moment>(value);
  if (!moment || (moment->seconds == 0 && moment->nanoseconds == 0)) return {};
  if (moment->seconds < 0 || moment->seconds > kSecondsMax) return {};
  const int64_t part = std::clamp<int64_t>(moment->nanoseconds, 0, 999999999) / 1000;
  return Date::from_us(moment->seconds * 1000000 + part);
}

std::optional<IpPrefix> read_allowed(Octets row) {
  const auto value = attribute(row, WGALLOWEDIP_A_IPADDR);
  const auto address = value ? address_of(*value) : std::nullopt;
  const auto length = number_of<uint8_t>(row, WGALLOWEDIP_A_CIDR_MASK, 255);
  if (!address || length > address->bits()) return {};
  return IpPrefix{*address, length};
}

bool is_any_set(Octets bytes) {
  return std::any_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0; });
}

// Fields of a peer by number: a dump has thousands, so they are gone through once.
void read_field(WgPeerState& peer, uint16_t type, Octets value) {
  switch (type) {
    case WGPEER_A_PRESHARED_KEY:
      peer.has_preshared = is_any_set(value);
      return;
    case WGPEER_A_ENDPOINT:
      peer.endpoint = read_endpoint(value);
      return;
    case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
      peer.keepalive = Duration::seconds(fixed_at<uint16_t>(value).value_or(0));
      return;
    case WGPEER_A_LAST_HANDSHAKE_TIME:
      peer.last_handshake = read_moment(value);
      return;
    case WGPEER_A_RX_BYTES:
      peer.received_bytes = fixed_at<uint64_t>(value).value_or(0);
      return;
    case WGPEER_A_TX_BYTES:
      peer.sent_bytes = fixed_at<uint64_t>(value).value_or(0);
      return;
    case WGPEER_A_ALLOWEDIPS:
      each_attribute(value, [&](uint16_t, Octets row) {
        if (const auto prefix = read_allowed(row)) peer.allowed.push_back(*prefix);
      });
      return;
    default:
      return;
  }
}

void read_peer(WgState& state, Octets row, bool first_of_message) {
  const auto key = attribute(row, WGPEER_A_PUBLIC_KEY);
  const auto public_key = key ? fixed_at<WgKey>(*key) : std::nullopt;
  if (!public_key) return;
  const bool goes_on =
      first_of_message && !state.peers.empty() && state.peers.back().public_key == *public_key;
  if (!goes_on) state.peers.emplace_back().public_key = *public_key;
  WgPeerState& peer = state.peers.back();
  each_attribute(row, [&](uint16_t type, Octets value) {
    if (!goes_on || type == WGPEER_A_ALLOWEDIPS) read_field(peer, type, value);
  });
}

void read_peers(WgState& state, Octets rows) {
  bool first = true;
  each_attribute(rows, [&](uint16_t, Octets row) {
    read_peer(state, row, first);
    first = false;
  });
}

}  // namespace

uint16_t read_family(Octets body) {
  if (body.size() < GENL_HDRLEN) return 0;
  return number_of<uint16_t>(body.subspan(GENL_HDRLEN), CTRL_ATTR_FAMILY_ID);
}

void add_to(WgState& state, Octets body) {
  if (body.size() < GENL_HDRLEN) return;
  each_attribute(body.subspan(GENL_HDRLEN), [&](uint16_t type, Octets value) {
    switch (type) {
      case WGDEVICE_A_IFNAME:
        state.interface = text_of(value);
        return;
      case WGDEVICE_A_PUBLIC_KEY:
        state.public_key = fixed_at<WgKey>(value).value_or(WgKey{});
        return;
      case WGDEVICE_A_LISTEN_PORT:
        state.listen_port = fixed_at<uint16_t>(value).value_or(0);
        return;
      case WGDEVICE_A_FWMARK:
        state.mark = fixed_at<uint32_t>(value).value_or(0);
        return;
      case WGDEVICE_A_PEERS:
        return read_peers(state, value);
      default:
        return;
    }
  });
}

}  // namespace sluice::drivers
