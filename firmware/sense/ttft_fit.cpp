#include "firmware/sense/ttft_fit.h"

#include <algorithm>
#include <vector>

namespace sluice::sense {

namespace {

// Below this variance (in tokens squared) prompts are too alike to tell a slope from a base.
constexpr double kSpreadMin = 64.0 * 64.0;
constexpr double kWeightMin = 8;
// The least slope that is told: a prefill too fast to be seen is still a measured one.
constexpr double kSlopeMin = 0.1;

}  // namespace

void TtftFit::learn(Tokens tokens_ahead, Duration ttft, Instant now) {
  const double x = static_cast<double>(tokens_ahead.count);
  const double y = static_cast<double>(ttft.as_us());
  weight_ = weight_ * kForget + 1;
  tokens_ = tokens_ * kForget + x;
  us_ = us_ * kForget + y;
  tokens_tokens_ = tokens_tokens_ * kForget + x * x;
  tokens_us_ = tokens_us_ * kForget + x * y;
  recent_.push_back({x, y, now});
  if (recent_.size() > kRestsMax) recent_.pop_front();
}

double TtftFit::us_per_token() const {
  if (weight_ < kWeightMin) return 0;
  const double mean_x = tokens_ / weight_;
  const double mean_y = us_ / weight_;
  const double variance = tokens_tokens_ / weight_ - mean_x * mean_x;
  if (variance < kSpreadMin) return 0;
  const double slope = (tokens_us_ / weight_ - mean_x * mean_y) / variance;
  return std::max(kSlopeMin, slope);
}

Duration TtftFit::base(bool idle, Instant now) const {
  const double slope = us_per_token();
  std::vector<double> rests;
  for (const Observation& seen : recent_) {
    if (now - seen.at <= memory_) rests.push_back(std::max(0.0, seen.us - seen.tokens * slope));
  }
  if (rests.empty()) return Duration();
  std::sort(rests.begin(), rests.end());
  return Duration::us(static_cast<int64_t>(rests[idle ? 0 : rests.size() / 4]));
}

}  // namespace sluice::sense
