#include "firmware/base/ip.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace sluice {

namespace {

using Bytes16 = std::array<uint8_t, 16>;

std::optional<int> number(std::string_view text, int base, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  if (value < 0 || value > max || text.front() == '-') return {};
  return value;
}

// Four decimal numbers; a leading zero may mean octal elsewhere and is refused.
bool parse_v4(std::string_view text, uint8_t* out) {
  for (int i = 0; i < 4; ++i) {
    const size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return false;
    const std::string_view part = text.substr(0, dot);
    const auto value = part.size() > 3 ? std::nullopt : number(part, 10, 255);
    if (!value || (part.size() > 1 && part.front() == '0')) return false;
    out[i] = static_cast<uint8_t>(*value);
    text.remove_prefix(std::min(text.size(), dot + 1));
  }
  return text.empty();
}

// Groups of a colon text without "::" in it; the last may be an IPv4 address.
bool parse_groups(std::string_view text, std::vector<uint8_t>& out) {
  while (!text.empty()) {
    const size_t colon = std::min(text.find(':'), text.size());
    const std::string_view part = text.substr(0, colon);
    if (colon == text.size() && part.find('.') != std::string_view::npos) {
      out.resize(out.size() + 4);
      return parse_v4(part, out.data() + out.size() - 4);
    }
    const auto value = part.size() > 4 ? std::nullopt : number(part, 16, 0xffff);
    if (!value) return false;
    out.push_back(static_cast<uint8_t>(*value >> 8));
    out.push_back(static_cast<uint8_t>(*value & 0xff));
    if (out.size() > 16) return false;
    if (colon == text.size()) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;
  }
  return true;
}

bool parse_v6(std::string_view text, Bytes16& out) {
  const size_t gap = text.find("::");
  std::vector<uint8_t> head;
  std::vector<uint8_t> tail;
  if (gap == std::string_view::npos) {
    if (!parse_groups(text, head) || head.size() != 16) return false;
  } else {
    if (!parse_groups(text.substr(0, gap), head) || !parse_groups(text.substr(gap + 2), tail))
      return false;
    if (head.size() + tail.size() > 14) return false;
  }
  std::copy(head.begin(), head.end(), out.begin());
  std::copy(tail.rbegin(), tail.rend(), out.rbegin());
  return true;
}

void append_hex(std::string& out, int value) {
  std::array<char, 4> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  out.append(digits.data(), end);
}

// RFC 5952: small letters, the longest run of zero groups (of two at least) becomes "::".
std::string text_v6(const Bytes16& bytes) {
  std::array<int, 8> groups{};
  for (size_t i = 0; i < 8; ++i) groups[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
  size_t best = 8;
  size_t best_length = 1;
  for (size_t i = 0; i < 8; ++i) {
    size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > best_length) {
      best = i;
      best_length = end - i;
    }
  }
  std::string out;
  for (size_t i = 0; i < 8;) {
    if (i == best) {
      out += "::";
      i += best_length;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    append_hex(out, groups[i++]);
  }
  return out;
}

bool equal_bits(const Bytes16& a, const Bytes16& b, int length) {
  const auto whole = static_cast<size_t>(length / 8);
  if (!std::equal(a.begin(), a.begin() + static_cast<long>(whole), b.begin())) return false;
  if (length % 8 == 0) return true;
  const int mask = 0xff << (8 - length % 8) & 0xff;
  return (a[whole] & mask) == (b[whole] & mask);
}

bool within(const IpAddress& address, const char* prefix) {
  return IpPrefix::parse(prefix)->contains(address);
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  IpAddress out;
  if (text.find(':') == std::string_view::npos) {
    if (!parse_v4(text, out.bytes.data())) return {};
    return out;
  }
  out.family = Family::v6;
  if (!parse_v6(text, out.bytes)) return {};
  return out;
}

std::string IpAddress::text() const {
  if (family == Family::v6) return text_v6(bytes);
  return std::to_string(bytes[0]) + "." + std::to_string(bytes[1]) + "." +
         std::to_string(bytes[2]) + "." + std::to_string(bytes[3]);
}

bool IpAddress::is_loopback() const {
  return within(*this, family == Family::v4 ? "127.0.0.0/8" : "::1/128");
}

bool IpAddress::is_link_local() const {
  return within(*this, family == Family::v4 ? "169.254.0.0/16" : "fe80::/10");
}

bool IpAddress::is_private() const {
  if (family == Family::v6) return within(*this, "fc00::/7");
  return within(*this, "10.0.0.0/8") || within(*this, "172.16.0.0/12") ||
         within(*this, "192.168.0.0/16");
}

bool IpAddress::is_shared() const { return family == Family::v4 && within(*this, "100.64.0.0/10"); }

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return {};
  if (slash == std::string_view::npos) return IpPrefix{*address, address->bits()};
  const std::string_view digits = text.substr(slash + 1);
  const auto length = digits.size() > 3 ? std::nullopt : number(digits, 10, address->bits());
  if (!length || (digits.size() > 1 && digits.front() == '0')) return {};
  return IpPrefix{*address, *length};
}

std::string IpPrefix::text() const { return address.text() + "/" + std::to_string(length); }

IpPrefix IpPrefix::network() const {
  IpPrefix out = *this;
  for (int bit = length; bit < address.bits(); ++bit) {
    out.address.bytes[static_cast<size_t>(bit / 8)] &= static_cast<uint8_t>(~(0x80 >> bit % 8));
  }
  return out;
}

bool IpPrefix::contains(const IpAddress& other) const {
  return address.family == other.family && equal_bits(address.bytes, other.bytes, length);
}

bool IpPrefix::overlaps(const IpPrefix& other) const {
  return address.family == other.address.family &&
         equal_bits(address.bytes, other.address.bytes, std::min(length, other.length));
}

std::optional<IpEndpoint> IpEndpoint::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto port = digits.size() > 5 ? std::nullopt : number(digits, 10, 65535);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!port || !address) return {};
  if (bracketed != (address->family == IpAddress::Family::v6)) return {};
  return IpEndpoint{*address, static_cast<uint16_t>(*port)};
}

std::string IpEndpoint::text() const {
  const bool v6 = address.family == IpAddress::Family::v6;
  return (v6 ? "[" + address.text() + "]" : address.text()) + ":" + std::to_string(port);
}

}  // namespace sluice
