#include "drivers/http1/octets.h"

#include <cstring>

namespace sluice::drivers {

namespace {

constexpr uint64_t kOnes = 0x0101010101010101ull;
constexpr uint64_t kHighBits = 0x8080808080808080ull;

// Nonzero if one of the eight octets is below 0x20 or is 0x7f. May also be nonzero beside such an
// octet and for a tab: the caller looks again, one by one.
uint64_t may_hold_control(uint64_t octets) {
  const uint64_t below_blank = (octets - kOnes * 0x20) & ~octets & kHighBits;
  const uint64_t delete_as_zero = octets ^ (kOnes * 0x7f);
  return below_blank | ((delete_as_zero - kOnes) & ~delete_as_zero & kHighBits);
}

}  // namespace

size_t find_control(std::string_view text, size_t from) {
  size_t at = from;
  while (at < text.size()) {
    if (at + 8 <= text.size()) {
      uint64_t octets = 0;
      std::memcpy(&octets, text.data() + at, 8);
      if (may_hold_control(octets) == 0) {
        at += 8;
        continue;
      }
    }
    const size_t stop = at + 8 < text.size() ? at + 8 : text.size();
    for (; at < stop; ++at) {
      if (is_octet(text[at], kControlOctet)) return at;
    }
  }
  return text.size();
}

}  // namespace sluice::drivers
