#include "drivers/netlink/attributes.h"

namespace sluice::drivers {

std::optional<Octets> attribute(Octets row, uint16_t type) {
  std::optional<Octets> found;
  each_attribute(row, [&](uint16_t its_type, Octets value) {
    if (its_type == type && !found) found = value;
  });
  return found;
}

std::string_view text_of(Octets value) {
  const auto end = std::find(value.begin(), value.end(), uint8_t{0});
  return {reinterpret_cast<const char*>(value.data()), static_cast<size_t>(end - value.begin())};
}

std::optional<IpAddress> address_of(Octets value) {
  if (value.size() != 4 && value.size() != 16) return {};
  IpAddress out;
  out.family = value.size() == 4 ? IpAddress::Family::v4 : IpAddress::Family::v6;
  std::copy(value.begin(), value.end(), out.bytes.begin());
  return out;
}

Octets octets_of(const IpAddress& address) {
  return Octets(address.bytes).first(static_cast<size_t>(address.bits() / 8));
}

}  // namespace sluice::drivers
