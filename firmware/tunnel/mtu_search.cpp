#include "firmware/tunnel/mtu_search.h"

#include <algorithm>

namespace sluice::tunnel {

namespace {
constexpr int kMultiple = 4;  // of the sizes tried between two bounds
}

void MtuSearch::restart(Instant now, int ceiling) {
  ceiling_ = ceiling;
  mtu_ = passes_ = fails_ = tries_ = 0;
  size_ = std::min(kStartSize, ceiling);
  settled_ = in_hole_ = false;
  sequence_ = 0;
  next_ = raise_at_ = now;
}

void MtuSearch::check(Instant now) {
  if (settled_) next_ = std::min(next_, now);
}

std::optional<int> MtuSearch::due(Instant now) const {
  if (ceiling_ < kLeastSize || sequence_ != 0 || now < next_) return std::nullopt;
  return size_;
}

std::optional<Instant> MtuSearch::wake() const {
  if (ceiling_ < kLeastSize) return std::nullopt;
  return sequence_ != 0 ? overdue_ : next_;
}

void MtuSearch::asked(Instant now, uint64_t sequence, Duration wait) {
  sequence_ = sequence;
  sent_ = now;
  overdue_ = now + wait;
}

void MtuSearch::refuse(Instant now) { fail(now); }

void MtuSearch::answer(Instant now, uint64_t sequence) {
  if (sequence != sequence_ || sequence_ == 0) return;
  sequence_ = 0;
  pass(now);
}

void MtuSearch::expire(Instant now, std::optional<Instant> proof) {
  if (sequence_ == 0 || now < overdue_) return;
  sequence_ = 0;
  next_ = now;
  if (proof && *proof > sent_ && ++tries_ >= settings_.mtu_tries) fail(now);
}

void MtuSearch::pass(Instant now) {
  tries_ = 0;
  passes_ = std::max(passes_, size_);
  if (fails_ != 0 && fails_ <= passes_) fails_ = 0;
  mtu_ = in_hole_ ? passes_ : std::max(mtu_, passes_);
  plan(now);
}

void MtuSearch::fail(Instant now) {
  tries_ = 0;
  if (size_ > passes_) {
    fails_ = fails_ == 0 ? size_ : std::min(fails_, size_);
    if (fails_ <= mtu_) mtu_ = std::max(passes_, kLeastSize);
    return plan(now);
  }
  // What had passed does not any more.
  in_hole_ = true;
  settled_ = false;
  ++holes_;
  fails_ = size_;
  passes_ = 0;
  mtu_ = std::min(mtu_, kStartSize);
  size_ = std::min(kStartSize, size_ - kStep);
  if (size_ < kLeastSize) return plan(now);
  next_ = now;
}

void MtuSearch::plan(Instant now) {
  next_ = now;
  if (passes_ == 0) {
    // Not even the least size passes: then it is not the size. It is asked for again later.
    if (fails_ <= kLeastSize) {
      mtu_ = fails_ = 0;
      next_ = now + settings_.mtu_validate;
    }
    size_ = std::min(kLeastSize, ceiling_);
  } else if (passes_ >= ceiling_) {
    settle(now);
  } else if (fails_ == 0) {
    size_ = passes_ < kVersion6Size && ceiling_ > kVersion6Size ? kVersion6Size : ceiling_;
  } else if (fails_ - passes_ <= kStep) {
    settle(now);
  } else {
    size_ = std::max((passes_ + fails_) / 2 / kMultiple * kMultiple, passes_ + 1);
  }
}

// Then the same size from time to time, and after mtu_raise the one that did not pass.
void MtuSearch::settle(Instant now) {
  if (!settled_) raise_at_ = now + settings_.mtu_raise;
  settled_ = true;
  in_hole_ = false;
  size_ = passes_;
  next_ = now + (metered_ ? settings_.mtu_validate_metered : settings_.mtu_validate);
  if (fails_ == 0 || now < raise_at_) return;
  raise_at_ = now + settings_.mtu_raise;
  size_ = fails_;
}

}  // namespace sluice::tunnel
