// Circuit breaker of one node: passive signals and active probes in, a verdict out. A value.
//
//   up --`failures` in a row--> down --open time over--> probing --success--> slow_start --> up
//                                ^------------failure---------|       (share grows linearly)
// A failed trial doubles the open time, up to kOpenMax. A node that has served since it came back
// is past its trial: it takes `failures` in a row again, and the open time begins anew. A node that
// asks us to wait (429 or 503 with Retry-After) is down until then, without counting as a failure.
#pragma once

#include <string>

#include "firmware/base/time.h"
#include "firmware/valve/view.h"

namespace sluice::sense {

struct BreakerTimes {
  int failures = 5;
  Duration open = Duration::seconds(5);
  Duration slow_start = Duration::seconds(10);
};

class Breaker {
 public:
  static constexpr Duration kOpenMax = Duration::seconds(60);
  static constexpr Duration kAskedToWaitMax = Duration::seconds(60);

  void set_times(const BreakerTimes& times) { times_ = times; }
  void succeed(Instant now);       // a request was served
  void answer_probe(Instant now);  // it answers, which does not prove that it serves
  void fail(Instant now, std::string why);
  void ask_to_wait(Instant now, Duration wait, std::string why);

  valve::Health health(Instant now) const;
  double share(Instant now) const;  // 0..1
  const std::string& why() const { return why_; }

 private:
  void come_back(Instant now);

  enum class State { unknown, closed, open, slow };

  BreakerTimes times_;
  State state_ = State::unknown;
  int failures_in_row_ = 0;
  Instant open_until_;
  Duration open_time_;
  Instant slow_since_;
  bool proven_ = false;  // it has served since it came back
  Instant wait_until_;
  std::string why_;
};

}  // namespace sluice::sense
