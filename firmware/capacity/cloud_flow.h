// How many tokens a second have flowed to clouds, per-token and leased, over a sliding window.
// Tokens are often known only when an answer has ended: the window makes a rate of such lumps.
#pragma once

#include <deque>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/capacity/lease_rule.h"

namespace sluice::capacity {

class CloudFlow {
 public:
  static constexpr Duration kBucket = Duration::seconds(1);

  explicit CloudFlow(Duration window) : window_(window) {}

  void note(Tokens prompt, Tokens output, Instant now);
  // Prices: billionths for one token at the cheapest per-token node.
  CloudDemand demand(int64_t price_in_nano, int64_t price_out_nano, Instant now) const;

 private:
  struct Bucket {
    Instant begins;
    Tokens prompt;
    Tokens output;
  };
  Duration window_;
  std::deque<Bucket> buckets_;  // at most window / kBucket + 1
};

}  // namespace sluice::capacity
