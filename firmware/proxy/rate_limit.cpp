#include "firmware/proxy/rate_limit.h"

#include <algorithm>
#include <cmath>

#include "firmware/base/check.h"

namespace sluice::proxy {

namespace {

constexpr double kMinuteUs = 60e6;
// When the running requests of a key will end is not known: ask again after this long.
constexpr Duration kConcurrencyRetry = Duration::seconds(1);

}  // namespace

void RateLimit::fill(Bucket& bucket, int64_t per_minute, Instant now) {
  const double capacity = static_cast<double>(per_minute);
  if (!bucket.started) {
    bucket.left = capacity;
    bucket.started = true;
  } else {
    const double elapsed_us = static_cast<double>((now - bucket.filled).as_us());
    bucket.left = std::min(capacity, bucket.left + capacity * elapsed_us / kMinuteUs);
  }
  bucket.filled = now;
}

Duration RateLimit::time_until(const Bucket& bucket, double wanted, int64_t per_minute) {
  const double missing = std::min(wanted, static_cast<double>(per_minute)) - bucket.left;
  const double us = missing * kMinuteUs / static_cast<double>(per_minute);
  return Duration::us(static_cast<int64_t>(std::ceil(us)));  // not a moment before it is there
}

std::optional<LimitRefusal> RateLimit::enter(const std::string& key, const KeyLimits& limits,
                                             Instant now) {
  Counts& counts = keys_[key];
  if (limits.concurrency > 0 && counts.running >= limits.concurrency) {
    return LimitRefusal{LimitHit::concurrency, kConcurrencyRetry};
  }
  if (limits.requests_per_minute > 0) {
    fill(counts.requests, limits.requests_per_minute, now);
    if (counts.requests.left < 1) {
      return LimitRefusal{LimitHit::requests,
                          time_until(counts.requests, 1, limits.requests_per_minute)};
    }
    counts.requests.left -= 1;
  }
  ++counts.running;
  return std::nullopt;
}

std::optional<LimitRefusal> RateLimit::take_tokens(const std::string& key, const KeyLimits& limits,
                                                   Tokens tokens, Instant now) {
  if (limits.tokens_per_minute == 0) return std::nullopt;
  Bucket& bucket = keys_[key].tokens;
  fill(bucket, limits.tokens_per_minute, now);
  // A request larger than a whole minute passes when the bucket is full: it would never else.
  const double wanted =
      std::min(static_cast<double>(tokens.count), static_cast<double>(limits.tokens_per_minute));
  if (bucket.left < wanted) {
    return LimitRefusal{LimitHit::tokens, time_until(bucket, wanted, limits.tokens_per_minute)};
  }
  bucket.left -= static_cast<double>(tokens.count);
  return std::nullopt;
}

void RateLimit::correct_tokens(const std::string& key, const KeyLimits& limits, Tokens estimated,
                               Tokens actual) {
  if (limits.tokens_per_minute == 0) return;
  Bucket& bucket = keys_[key].tokens;
  bucket.left = std::min(static_cast<double>(limits.tokens_per_minute),
                         bucket.left + static_cast<double>((estimated - actual).count));
}

void RateLimit::leave(const std::string& key) {
  const auto found = keys_.find(key);
  ENSURE(found != keys_.end() && found->second.running > 0);
  --found->second.running;
}

}  // namespace sluice::proxy
