// How many other requests an engine must have, judged by work done and not by what it claims: while
// we hear a quarter of the tokens that it counts, three times as many as ours are at work for
// others. Rough, as the others' answers may be longer or shorter; used when a count is doubted.
// A value; no clock.
#pragma once

#include <optional>

#include "firmware/base/time.h"

namespace sluice::sense {

class TokenShare {
 public:
  static constexpr double kMemorySeconds = 5;
  static constexpr double kTokensMin = 50;  // of ours within the memory, before anything is said

  void heard(int tokens) { fresh_ += tokens; }
  // The engine's counter, and how many of ours it has.
  void page(double generated, int ours, Instant at);
  void forget() { *this = TokenShare(); }

  std::optional<double> others() const;

 private:
  double fresh_ = 0;  // of ours since the last page
  double ours_ = 0;   // these four fade over the memory
  double all_ = 0;
  double present_ = 0;  // of ours, times seconds
  double seconds_ = 0;
  double generated_ = 0;
  Instant at_;
  bool known_ = false;
};

}  // namespace sluice::sense
