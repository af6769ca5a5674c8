// How often a node failed of late: the share of its attempts that came to nothing by its own fault,
// each counting half as much for every kHalfLife that it is old. A few doubtful attempts more are
// assumed to have gone well, so that one failure in two tries is no verdict.
// A value: no clock.
#pragma once

#include "firmware/base/time.h"

namespace sluice::sense {

class FailureShare {
 public:
  static constexpr Duration kHalfLife = Duration::seconds(60);
  static constexpr double kAssumedGood = 4;

  void add(bool failed, Instant now);
  double share(Instant now) const;  // 0..1

 private:
  double all_ = 0;  // as of `at_`
  double failed_ = 0;
  Instant at_;
};

}  // namespace sluice::sense
