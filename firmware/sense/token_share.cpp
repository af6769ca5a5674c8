#include "firmware/sense/token_share.h"

#include <algorithm>
#include <cmath>

namespace sluice::sense {

void TokenShare::page(double generated, int ours, Instant at) {
  const double fresh = fresh_;
  const double made = generated - generated_;
  const bool first = !known_;
  const double seconds = (at - at_).as_seconds();
  fresh_ = 0;
  generated_ = generated;
  at_ = at;
  known_ = true;
  if (first) return;
  if (made < 0 || seconds <= 0) return forget();
  const double kept = std::exp(-seconds / kMemorySeconds);
  ours_ = ours_ * kept + fresh;
  all_ = all_ * kept + made;
  present_ = present_ * kept + ours * seconds;
  seconds_ = seconds_ * kept + seconds;
}

std::optional<double> TokenShare::others() const {
  if (ours_ < kTokensMin || all_ <= 0) return std::nullopt;
  return present_ / seconds_ * std::max(0.0, all_ / ours_ - 1);
}

}  // namespace sluice::sense
