#include "firmware/sense/other_clients.h"

#include <algorithm>
#include <cmath>

namespace sluice::sense {

namespace {

constexpr double kMeanSeconds = 20;
constexpr int kLooksMax = 1'000'000;
// What was seen last is believed for so long; after it only our own requests are certain.
constexpr double kMemorySeconds = 30;
constexpr double kIdleSeconds = 1;
constexpr double kLeavingMin = 0.02;
constexpr double kLeavingMax = 2;
constexpr double kChurnMin = 0.05;  // nobody is ever quite sure that nobody else comes
// For so long the number is taken as it was; then it drifts toward its mean.
constexpr double kStandsSeconds = 0.5;

}  // namespace

double OtherClients::leaving_rate() const {
  return std::clamp(churn_ / (2 * std::max(mean_, 0.5)), kLeavingMin, kLeavingMax);
}

OtherClients::Belief OtherClients::at(Instant when) const {
  if (!known_) return {};
  const double seconds = std::max(0.0, (when - at_).as_seconds());
  const double silent = std::max(0.0, (when - proven_at_).as_seconds() - kStandsSeconds);
  const double rate = leaving_rate();
  const double kept = std::exp(-rate * std::max(0.0, seconds - kStandsSeconds));
  const double toward = mean_ * std::exp(-silent / kMemorySeconds);
  const double churn = std::max(churn_, kChurnMin);
  const double settled = churn / (2 * rate);
  Belief belief;
  belief.count = std::max(0.0, toward + (count_ - toward) * kept);
  const double forgotten = std::exp(-2 * rate * seconds);
  belief.spread = std::sqrt(std::max(0.0, settled + (variance_ - settled) * forgotten));
  return belief;
}

void OtherClients::move_on(Instant at) {
  const Belief belief = this->at(at);
  count_ = belief.count;
  variance_ = belief.spread * belief.spread;
  at_ = std::max(at, at_);
}

void OtherClients::learn(double count, double predicted, double seconds) {
  if (seconds <= 0) return;
  if (looks_ < kLooksMax) ++looks_;
  const double part = std::max(1 - std::exp(-seconds / kMeanSeconds), 1.0 / (looks_ + 1));
  mean_ += (count - mean_) * part;
  const double jump = count - predicted;
  churn_ += (jump * jump / seconds - churn_) * part;
}

void OtherClients::see(double least, double likely, double most, Instant at, Instant heard) {
  const double doubt = (most - least) * (most - least) / 12;
  if (!known_) {
    known_ = true;
    count_ = mean_ = least;
    variance_ = doubt;
    at_ = at;
    proven_at_ = heard;
    return;
  }
  const double seconds = (at - at_).as_seconds();
  move_on(at);
  const double predicted = count_;
  const double gain = variance_ / std::max(1e-9, variance_ + doubt);
  count_ = std::clamp(count_ + gain * (likely - count_), least, most);
  variance_ *= 1 - gain;
  learn(count_, predicted, seconds);
  at_ = at;  // also when pages turn out to be older than they seemed
  proven_at_ = heard;
}

void OtherClients::hint(double count, double spread, Instant at) {
  if (!known_) at_ = at;
  known_ = true;
  move_on(at);
  proven_at_ = at;
  const double trust = variance_ / std::max(1e-9, variance_ + spread * spread);
  count_ += (count - count_) * trust;
  mean_ += (count - mean_) * trust;
  variance_ *= 1 - trust;
}

void OtherClients::see_idle(Instant at) {
  if (!known_) return;
  const double seconds = std::max(0.0, (at - at_).as_seconds());
  const double kept = std::exp(-seconds / kIdleSeconds);
  count_ *= kept;
  mean_ *= kept;
  at_ = std::max(at, at_);
}

}  // namespace sluice::sense
