#include "firmware/ports/wireguard.h"

namespace sluice::ports {

namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr size_t kTextLength = 44;  // of 32 bytes, with one '='

}  // namespace

// volatile: a store that nobody reads would be left out.
WgSecret::~WgSecret() {
  for (volatile uint8_t& byte : bytes_) byte = 0;
}

std::string wg_key_text(const WgKey& key) {
  std::string out;
  uint32_t held = 0;
  int bits = 0;
  for (const uint8_t byte : key) {
    held = held << 8 | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += kDigits[held >> bits & 63];
    }
  }
  out += kDigits[held << (6 - bits) & 63];
  return out + '=';
}

std::optional<WgKey> parse_wg_key(std::string_view text) {
  if (text.size() != kTextLength || text.back() != '=') return {};
  WgKey out{};
  size_t at = 0;
  uint32_t held = 0;
  int bits = 0;
  for (const char c : text.substr(0, kTextLength - 1)) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return {};
    held = held << 6 | static_cast<uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[at++] = static_cast<uint8_t>(held >> bits & 0xff);
  }
  if ((held & 3) != 0) return {};  // two bits that belong to no byte
  return out;
}

}  // namespace sluice::ports
