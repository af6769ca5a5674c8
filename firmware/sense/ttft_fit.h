// How long until the first token: a base and a slope over the prompt tokens ahead, learned from
// requests as they start. A value.
//
// ttft = base + tokens_ahead * us_per_token. The slope is a least-squares line with forgetting
// (each observation weighs kForget of the next); the base is the lower quartile of what the slope
// does not explain, so that a queue inside the engine, which is forecast apart, does not stick.
#pragma once

#include <deque>

#include "firmware/base/time.h"
#include "firmware/base/units.h"

namespace sluice::sense {

class TtftFit {
 public:
  static constexpr double kForget = 0.98;
  static constexpr size_t kRestsMax = 64;

  void set_memory(Duration memory) { memory_ = memory; }
  void learn(Tokens tokens_ahead, Duration ttft, Instant now);
  double us_per_token() const;                  // 0 = not measured: too little spread in tokens
  Duration base(bool idle, Instant now) const;  // idle: the least remembered

 private:
  struct Observation {
    double tokens;
    double us;
    Instant at;
  };

  Duration memory_ = Duration::seconds(600);
  double weight_ = 0, tokens_ = 0, us_ = 0, tokens_tokens_ = 0, tokens_us_ = 0;  // decayed sums
  std::deque<Observation> recent_;
};

}  // namespace sluice::sense
