#include "firmware/tunnel/probe_identity.h"

#include <charconv>

namespace sluice::tunnel {

namespace {

std::optional<uint64_t> hexadecimal(const std::string& text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (text.size() != 16 || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<ProbeIdentity> probe_identity(const Membership& membership) {
  const std::optional<uint64_t> box = hexadecimal(membership.box_id);
  const std::optional<uint64_t> instance = hexadecimal(membership.instance);
  if (!box || !instance || !membership.can_probe()) return std::nullopt;
  const ports::WgKey& key = membership.probe_key.reveal();
  return ProbeIdentity{*box, *instance, std::string(key.begin(), key.end())};
}

}  // namespace sluice::tunnel
