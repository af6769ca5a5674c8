// Attributes of a message that came in: type, length, value, padded to four bytes (netlink(7)). A
// length that does not fit ends the row; what came before it counts.
#pragma once

#include <linux/netlink.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "firmware/base/ip.h"

namespace sluice::drivers {

using Octets = std::span<const uint8_t>;

// A value of fixed size at the start of `bytes`; nothing if they are fewer. The kernel aligns to
// four bytes only, so it is copied.
template <class T>
std::optional<T> fixed_at(Octets bytes) {
  if (bytes.size() < sizeof(T)) return {};
  T out;
  std::memcpy(&out, bytes.data(), sizeof(T));
  return out;
}

// each(type, value)
template <class Each>
void each_attribute(Octets row, Each&& each) {
  while (const auto head = fixed_at<nlattr>(row)) {
    if (head->nla_len < NLA_HDRLEN || head->nla_len > row.size()) return;
    each(static_cast<uint16_t>(head->nla_type & NLA_TYPE_MASK),
         row.subspan(NLA_HDRLEN, head->nla_len - NLA_HDRLEN));
    const auto padded = static_cast<size_t>(NLA_ALIGN(head->nla_len));
    row = row.subspan(std::min(padded, row.size()));
  }
}

// The first of this type; nothing if there is none.
std::optional<Octets> attribute(Octets row, uint16_t type);
template <class T>
T number_of(Octets row, uint16_t type, T otherwise = {}) {
  const auto value = attribute(row, type);
  return value ? fixed_at<T>(*value).value_or(otherwise) : otherwise;
}
// Up to its zero or its end.
std::string_view text_of(Octets value);
// Four bytes or sixteen; nothing for any other number.
std::optional<IpAddress> address_of(Octets value);
Octets octets_of(const IpAddress& address);

}  // namespace sluice::drivers
