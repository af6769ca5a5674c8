// How old a metrics page is when it comes: pages of some engines tell of seconds, or half a minute,
// ago. Found by whose past they fit: from page to page the engine's count moves with the number of
// requests that we had in it, as it was then.
// A value; no clock.
#pragma once

#include <vector>

#include "firmware/base/time.h"
#include "firmware/sense/own_past.h"

namespace sluice::sense {

class PageLag {
 public:
  static constexpr Duration kStep = Duration::ms(100);
  static constexpr size_t kLags = 360;  // up to 36 s
  static constexpr int kPagesMin = 40;  // before anything is said
  static constexpr int kPagesMemory = 60;

  // `present`: what the page says runs and waits. Pages in order of `at`.
  void learn(Instant at, double present, const OwnPast& own);
  void forget();
  Duration lag() const { return kStep * static_cast<int64_t>(found_); }  // zero: none is seen

 private:
  void judge();

  std::vector<double> misfit_;  // by lag: mean square of what our own past does not explain
  double movement_ = 0;         // mean square of our own movement
  int pages_ = 0;
  Instant last_;
  double present_ = 0;
  size_t found_ = 0;
};

}  // namespace sluice::sense
