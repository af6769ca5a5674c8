#include "firmware/sense/subnet.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

#include "firmware/base/text.h"

namespace sluice::sense {

namespace {

constexpr int kBits = 32;

std::optional<uint32_t> to_address(std::string_view text) {
  const std::vector<std::string_view> parts = split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  uint32_t address = 0;
  for (const std::string_view part : parts) {
    const std::optional<int64_t> byte = to_integer(part);
    const bool padded = part.size() > 1 && part.front() == '0';  // octal to some, decimal to others
    if (!byte || *byte < 0 || *byte > 255 || padded) return std::nullopt;
    address = address << 8U | static_cast<uint32_t>(*byte);
  }
  return address;
}

std::string to_text(uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24U, address >> 16U & 255U, address >> 8U & 255U,
                     address & 255U);
}

}  // namespace

Result<std::vector<std::string>> hosts_of(std::string_view cidr) {
  const size_t slash = cidr.find('/');
  const std::optional<uint32_t> address = to_address(cidr.substr(0, slash));
  const std::optional<int64_t> bits =
      slash == std::string_view::npos ? kBits : to_integer(cidr.substr(slash + 1));
  if (!address || !bits || *bits < 0 || *bits > kBits) {
    return Error{ErrorKind::refused, "subnet",
                 fmt::format("'{}' is no IPv4 subnet; write it like 192.168.7.0/28", cidr)};
  }
  if (*bits < kSubnetBitsMin) {
    return Error{ErrorKind::refused, "subnet",
                 fmt::format("/{} is too large a subnet to ask politely; /{} is the largest, so "
                             "name a part of it",
                             *bits, kSubnetBitsMin)};
  }
  const uint32_t size = uint32_t{1} << static_cast<uint32_t>(kBits - *bits);
  const uint32_t first = *address & ~(size - 1);
  const uint32_t edge = size > 2 ? 1 : 0;
  std::vector<std::string> hosts;
  for (uint32_t i = edge; i < size - edge; ++i) hosts.push_back(to_text(first + i));
  return hosts;
}

}  // namespace sluice::sense
