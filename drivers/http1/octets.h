// What each octet may be in an HTTP/1.1 message (RFC 9110 section 5.6.2, RFC 3986 section 2,
// RFC 9112 section 7.1).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice::drivers {

enum OctetClass : uint8_t {
  kTokenOctet = 1,     // field names, methods, codings
  kTargetOctet = 2,    // path and query of an origin-form target, '%' included
  kHostOctet = 4,      // registered names and IPv4 addresses, '%' excluded
  kHexOctet = 8,       // 0-9 a-f A-F
  kControlOctet = 16,  // never inside a line; the tab is not one of them
  kMethodOctet = 32,   // tokens without lower case: "get" is no method of anybody
};

constexpr std::array<uint8_t, 256> make_octet_classes() {
  std::array<uint8_t, 256> classes{};
  auto mark = [&classes](std::string_view octets, int bits) {
    for (char c : octets) classes[static_cast<unsigned char>(c)] |= static_cast<uint8_t>(bits);
  };
  mark("0123456789", kTokenOctet | kTargetOctet | kHostOctet | kHexOctet | kMethodOctet);
  mark("ABCDEF", kTokenOctet | kTargetOctet | kHostOctet | kHexOctet | kMethodOctet);
  mark("abcdef", kTokenOctet | kTargetOctet | kHostOctet | kHexOctet);
  mark("GHIJKLMNOPQRSTUVWXYZ", kTokenOctet | kTargetOctet | kHostOctet | kMethodOctet);
  mark("ghijklmnopqrstuvwxyz", kTokenOctet | kTargetOctet | kHostOctet);
  mark("-_", kTokenOctet | kTargetOctet | kHostOctet | kMethodOctet);
  mark(".~", kTokenOctet | kTargetOctet | kHostOctet);
  mark("!#$%&'*+^`|", kTokenOctet);
  mark("!$&'()*+,;=:@/?%[]", kTargetOctet);  // brackets: ?include[]=x is common
  for (int c = 0; c < 0x20; ++c) {
    if (c != '\t') classes[static_cast<size_t>(c)] |= kControlOctet;
  }
  classes[0x7f] |= kControlOctet;
  return classes;
}

inline constexpr std::array<uint8_t, 256> kOctetClasses = make_octet_classes();

constexpr bool is_octet(char c, OctetClass wanted) {
  return (kOctetClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}

// Not empty, and every octet is of the class.
constexpr bool all_octets(std::string_view text, OctetClass wanted) {
  for (char c : text) {
    if (!is_octet(c, wanted)) return false;
  }
  return !text.empty();
}

constexpr int hex_digit(char c) {  // c is a kHexOctet
  if (c <= '9') return c - '0';
  return (c | 0x20) - 'a' + 10;
}

constexpr std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The index of the first control octet (CR and LF are such) at or after `from`, or text.size().
size_t find_control(std::string_view text, size_t from);

}  // namespace sluice::drivers
