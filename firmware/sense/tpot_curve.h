// What this engine's time per output token is at each concurrency, learned from the gaps between
// tokens as they pass. A value.
//
// Concurrencies share buckets that widen with size (one each up to 16, then about 6 % wide). A
// bucket keeps a mean with a bounded weight, so that it follows a change within kWeightMax gaps,
// and is forgotten when nothing was heard for `memory`. points() are made non-decreasing in
// concurrency by pooling adjacent violators (Ayer et al., 1955): an engine does not become faster
// by being given more to do, so a fall is noise.
#pragma once

#include <map>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/valve/view.h"

namespace sluice::sense {

class TpotCurve {
 public:
  static constexpr double kWeightMin = 20;   // gaps before a bucket is believed
  static constexpr double kWeightMax = 400;  // gaps a mean looks back over
  static constexpr int kConcurrencyMax = 4096;

  void set_memory(Duration memory) { memory_ = memory; }
  // `gap` passed between two tokens while `concurrency` requests ran; `weight` >= 0: of how many
  // gaps this is the mean.
  void learn(int concurrency, Duration gap, double weight, Instant now);
  std::vector<valve::TpotPoint> points(Instant now) const;  // at most valve::kTpotPointsMax

 private:
  struct Bucket {
    double mean_us = 0;
    double mean_concurrency = 0;
    double weight = 0;
    Instant last;
  };
  static int bucket_of(int concurrency);

  Duration memory_ = Duration::seconds(600);
  std::map<int, Bucket> buckets_;
};

}  // namespace sluice::sense
