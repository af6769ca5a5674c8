#include "firmware/sense/failure_share.h"

#include <algorithm>
#include <cmath>

namespace sluice::sense {

namespace {

double left(Instant then, Instant now) {
  const Duration age = std::max(Duration(), now - then);
  return std::exp2(-(age / FailureShare::kHalfLife));
}

}  // namespace

void FailureShare::add(bool failed, Instant now) {
  const double part = left(at_, now);
  all_ = all_ * part + 1;
  failed_ = failed_ * part + (failed ? 1 : 0);
  at_ = now;
}

double FailureShare::share(Instant now) const {
  if (failed_ <= 0) return 0;  // nearly always
  const double part = left(at_, now);
  return failed_ * part / (all_ * part + kAssumedGood);
}

}  // namespace sluice::sense
