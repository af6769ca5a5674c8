#include "firmware/tunnel/shim_queue.h"

#include <algorithm>

namespace sluice::tunnel {

void ShimQueue::restart(Instant now, Duration round_trip) {
  *this = ShimQueue();
  round_trip_ = round_trip;
  moved_ = now;
  window_start_ = now;
}

void ShimQueue::look(Instant now, size_t untaken) {
  const uint64_t delivered = written_ - std::min<uint64_t>(written_, untaken);
  if (delivered > delivered_ || untaken == 0) moved_ = now;
  delivered_ = std::max(delivered_, delivered);
  if (untaken > allowance_ / 2) pressed_ = true;
  if (now - window_start_ >= kWindow) close_window(now);
}

void ShimQueue::close_window(Instant now) {
  const double rate = static_cast<double>(delivered_ - window_delivered_) /
                      static_cast<double>((now - window_start_).as_us());
  const double best = *std::max_element(rates_.begin(), rates_.end());
  window_start_ = now;
  window_delivered_ = delivered_;
  if (!pressed_ && rate <= best) return;
  pressed_ = false;
  rates_[next_] = rate;
  next_ = (next_ + 1) % kSamples;
  const double now_best = *std::max_element(rates_.begin(), rates_.end());
  const Duration time = kShimQueueMax + round_trip_;
  const double bytes = std::min(now_best * static_cast<double>(time.as_us()),
                                static_cast<double>(kShimQueueCeiling));
  allowance_ = std::max(static_cast<size_t>(bytes), kShimQueueFloor);
}

}  // namespace sluice::tunnel
