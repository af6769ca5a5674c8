// How long a path that failed is not chosen after it came back: `hold`, doubled with every further
// failure. A value.
#pragma once

#include "firmware/base/time.h"
#include "firmware/tunnel/path_settings.h"

namespace sluice::tunnel {

class Damping {
 public:
  void fail(Instant now, const PathSettings& settings);
  void come_back(Instant now, const PathSettings& settings);
  Instant hold_until() const { return hold_until_; }
  Duration hold(const PathSettings& settings) const;  // of the last failure; zero: none yet
  int failures() const { return failures_; }          // those that are not forgotten

 private:
  int failures_ = 0;
  Instant since_;  // it came back, or failed again
  Instant hold_until_;
};

}  // namespace sluice::tunnel
