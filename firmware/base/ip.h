// Internet addresses as values: numeric only, names are resolved elsewhere (ports/names.h).
// Texts are the usual ones: "192.0.2.1", "2001:db8::1", "10.0.0.0/8", "192.0.2.1:51820",
// "[2001:db8::1]:51820". Parsing accepts nothing else: no names, no zone, no leading zeros.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

struct IpAddress {
  enum class Family : uint8_t { v4, v6 };
  Family family = Family::v4;
  std::array<uint8_t, 16> bytes{};  // network order; of v4 the first four, the rest zero

  static std::optional<IpAddress> parse(std::string_view text);
  static IpAddress any(Family family) { return {family, {}}; }
  std::string text() const;
  int bits() const { return family == Family::v4 ? 32 : 128; }
  bool is_unspecified() const { return bytes == std::array<uint8_t, 16>{}; }
  bool is_loopback() const;
  bool is_link_local() const;
  // RFC 1918, RFC 4193: not reachable from the internet.
  bool is_private() const;
  // RFC 6598, 100.64.0.0/10: what a provider's address translation gives out.
  bool is_shared() const;
  auto operator<=>(const IpAddress&) const = default;
};

struct IpPrefix {
  IpAddress address;  // may have bits beyond the length: an interface's address with its net
  int length = 0;     // 0..address.bits()

  static std::optional<IpPrefix> parse(std::string_view text);  // without a length: one address
  std::string text() const;
  IpPrefix network() const;  // bits beyond the length cleared
  bool contains(const IpAddress& other) const;
  bool overlaps(const IpPrefix& other) const;
  auto operator<=>(const IpPrefix&) const = default;
};

struct IpEndpoint {
  IpAddress address;
  uint16_t port = 0;

  static std::optional<IpEndpoint> parse(std::string_view text);
  std::string text() const;
  auto operator<=>(const IpEndpoint&) const = default;
};

}  // namespace sluice
