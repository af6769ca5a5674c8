// What the wire looks at in an Ethernet frame: no more than a box at the roadside could see.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::testbed {

using WireAddress = std::array<std::uint8_t, 16>;  // v4 as ::ffff:a.b.c.d

struct UdpPorts {
  std::uint16_t source = 0;
  std::uint16_t target = 0;
};

struct Frame {
  bool is_ip = false;
  int packet_bytes = 0;  // of the IP packet as its header says
  WireAddress source{};
  WireAddress target{};
  bool is_udp = false;            // also later fragments of one
  std::optional<UdpPorts> ports;  // of UDP's first fragment

  static Frame read(std::string_view bytes);
};

struct WirePrefix {
  WireAddress address{};
  int length = 0;  // 0..128; a v4 one has 96 more than it is written with

  static std::optional<WirePrefix> parse(const std::string& text);
  bool contains(const WireAddress& other) const;
};

}  // namespace sluice::testbed
