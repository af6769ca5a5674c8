#include "tests/testbed/wire/frame.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice::testbed {

namespace {

constexpr std::size_t kEthernetBytes = 14;
constexpr int kUdp = 17;
constexpr int kFragment = 44;  // RFC 8200, 4.5
constexpr int kV4Offset = 96;

int byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}
int word_at(std::string_view bytes, std::size_t at) {
  return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}

std::optional<UdpPorts> ports_of(std::string_view udp) {
  if (udp.size() < 4) return std::nullopt;
  return UdpPorts{static_cast<std::uint16_t>(word_at(udp, 0)),
                  static_cast<std::uint16_t>(word_at(udp, 2))};
}

WireAddress v4_address(std::string_view bytes) {
  WireAddress address{};
  address[10] = address[11] = 0xff;
  std::memcpy(address.data() + 12, bytes.data(), 4);
  return address;
}

void read_v4(std::string_view packet, Frame& frame) {
  const auto header = static_cast<std::size_t>(byte_at(packet, 0) & 15) * 4;
  if (packet.size() < 20 || header < 20 || packet.size() < header) return;
  frame.is_ip = true;
  frame.packet_bytes = word_at(packet, 2);
  frame.source = v4_address(packet.substr(12));
  frame.target = v4_address(packet.substr(16));
  frame.is_udp = byte_at(packet, 9) == kUdp;
  const bool first = (word_at(packet, 6) & 0x1fff) == 0;
  if (frame.is_udp && first) frame.ports = ports_of(packet.substr(header));
}

void read_v6(std::string_view packet, Frame& frame) {
  if (packet.size() < 40) return;
  frame.is_ip = true;
  frame.packet_bytes = word_at(packet, 4) + 40;
  std::memcpy(frame.source.data(), packet.data() + 8, 16);
  std::memcpy(frame.target.data(), packet.data() + 24, 16);
  int next = byte_at(packet, 6);
  bool first = true;
  std::string_view rest = packet.substr(40);
  if (next == kFragment && rest.size() >= 8) {
    next = byte_at(rest, 0);
    first = (word_at(rest, 2) & 0xfff8) == 0;
    rest.remove_prefix(8);
  }
  frame.is_udp = next == kUdp;
  if (frame.is_udp && first) frame.ports = ports_of(rest);
}

}  // namespace

Frame Frame::read(std::string_view bytes) {
  Frame frame;
  if (bytes.size() <= kEthernetBytes) return frame;
  const int kind = word_at(bytes, 12);
  const std::string_view packet = bytes.substr(kEthernetBytes);
  if (kind == 0x0800) read_v4(packet, frame);
  if (kind == 0x86dd) read_v6(packet, frame);
  return frame;
}

std::optional<WirePrefix> WirePrefix::parse(const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  WirePrefix prefix;
  std::array<char, 4> v4{};
  int bits = 0;
  if (::inet_pton(AF_INET, address.c_str(), v4.data()) == 1) {
    prefix.address = v4_address({v4.data(), v4.size()});
    bits = 32;
  } else if (::inet_pton(AF_INET6, address.c_str(), prefix.address.data()) == 1) {
    bits = 128;
  } else {
    return std::nullopt;
  }
  int length = bits;
  if (slash != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + slash + 1, end, length);
    if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  }
  if (length < 0 || length > bits) return std::nullopt;
  prefix.length = bits == 32 ? length + kV4Offset : length;
  return prefix;
}

bool WirePrefix::contains(const WireAddress& other) const {
  const auto whole = static_cast<std::size_t>(length / 8);
  if (!std::equal(address.begin(), address.begin() + whole, other.begin())) return false;
  const int rest = length % 8;
  return rest == 0 || (address[whole] ^ other[whole]) >> (8 - rest) == 0;
}

}  // namespace sluice::testbed
