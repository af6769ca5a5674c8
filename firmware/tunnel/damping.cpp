#include "firmware/tunnel/damping.h"

#include <algorithm>

namespace sluice::tunnel {

namespace {
constexpr int kFailuresMax = 32;  // far beyond hold_max
}

void Damping::fail(Instant now, const PathSettings& settings) {
  const int64_t forget = std::max<int64_t>(settings.forget.as_us(), 1);
  const int64_t forgotten = (now - since_).as_us() / forget;
  failures_ = static_cast<int>(std::max<int64_t>(failures_ - forgotten, 0));
  failures_ = std::min(failures_ + 1, kFailuresMax);
  since_ = now;
}

void Damping::come_back(Instant now, const PathSettings& settings) {
  since_ = now;
  hold_until_ = now + hold(settings);
}

Duration Damping::hold(const PathSettings& settings) const {
  if (failures_ == 0) return Duration();
  Duration hold = settings.hold;
  for (int i = 1; i < failures_ && hold < settings.hold_max; ++i) hold = hold * 2;
  return std::min(hold, settings.hold_max);
}

}  // namespace sluice::tunnel
