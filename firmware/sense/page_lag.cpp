#include "firmware/sense/page_lag.h"

#include <algorithm>
#include <cstddef>

namespace sluice::sense {

namespace {

// A lag is believed if what it leaves unexplained is this share of what no lag leaves, and until it
// is that share. The best of so many lags fits a little by chance.
constexpr double kBelieve = 0.35;
constexpr double kDoubt = 0.7;
constexpr size_t kShortest = 3;                     // steps: what is younger costs nothing
constexpr double kMovementMin = 0.25;               // requests squared, from page to page
constexpr Duration kGapMax = Duration::seconds(5);  // between pages that are compared

}  // namespace

void PageLag::learn(Instant at, double present, const OwnPast& own) {
  const Instant before = last_;
  const double moved = present - present_;
  const bool first = pages_ == 0 && misfit_.empty();
  last_ = at;
  present_ = present;
  if (first) {
    misfit_.assign(kLags, 0.0);
    return;
  }
  if (at <= before || at - before > kGapMax) return;
  ++pages_;
  const double part = 1.0 / std::min(pages_, kPagesMemory);
  for (size_t i = 0; i < kLags; ++i) {
    const Duration lag = kStep * static_cast<int64_t>(i);
    const double ours = own.at(at - lag) - own.at(before - lag);
    misfit_[i] += ((moved - ours) * (moved - ours) - misfit_[i]) * part;
    if (i == 0) movement_ += (ours * ours - movement_) * part;
  }
  judge();
}

void PageLag::judge() {
  if (pages_ < kPagesMin || movement_ < kMovementMin) return;
  if (found_ > 0 && misfit_[found_] > kDoubt * misfit_[0]) found_ = 0;
  const auto best = std::min_element(misfit_.begin(), misfit_.end());
  const auto place = static_cast<size_t>(best - misfit_.begin());
  if (place < kShortest || *best > kBelieve * misfit_[0]) return;
  if (found_ == 0 || *best < kDoubt * misfit_[found_]) found_ = place;
}

void PageLag::forget() { *this = PageLag(); }

}  // namespace sluice::sense
