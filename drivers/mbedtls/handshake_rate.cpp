#include "drivers/mbedtls/handshake_rate.h"

#include <algorithm>

namespace sluice::drivers {

namespace {
constexpr Duration kFullAfter = Duration::seconds(1);
}

void HandshakeRate::set(int64_t per_second, int64_t per_second_per_address) {
  per_second_ = static_cast<double>(per_second);
  per_address_ = static_cast<double>(per_second_per_address);
}

void HandshakeRate::fill(Bucket& bucket, double per_second, Instant now) {
  const double gained = (now - bucket.filled).as_seconds() * per_second;
  bucket.left = std::min(per_second, bucket.left + gained);
  bucket.filled = now;
}

// A bucket that nobody drew from for a second is full: as good as a new one.
bool HandshakeRate::has_room(Instant now) {
  if (addresses_.size() < kHandshakeAddressesMax) return true;
  std::erase_if(addresses_,
                [now](const auto& entry) { return now - entry.second.filled >= kFullAfter; });
  return addresses_.size() < kHandshakeAddressesMax;
}

bool HandshakeRate::take(const std::string& address, Instant now) {
  if (!started_) all_ = {per_second_, now};
  started_ = true;
  fill(all_, per_second_, now);
  if (all_.left < 1) return false;
  auto found = addresses_.find(address);
  if (found == addresses_.end()) {
    if (!has_room(now)) return false;
    found = addresses_.emplace(address, Bucket{per_address_, now}).first;
  }
  Bucket& own = found->second;
  fill(own, per_address_, now);
  if (own.left < 1) return false;
  own.left -= 1;
  all_.left -= 1;
  return true;
}

}  // namespace sluice::drivers
