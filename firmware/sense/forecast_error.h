// By how much first tokens come later, or sooner, than was forecast: what a forecast must be
// corrected by, and how much must be allowed for chance. A value.
#pragma once

#include <cstddef>
#include <deque>

#include "firmware/base/time.h"

namespace sluice::sense {

class ForecastError {
 public:
  static constexpr size_t kRemembered = 256;
  // What is allowed for is a quantile of the errors, moved by what becomes of the promises: each
  // that is lost moves it up, each that is kept down, so that kLostShare of all are lost.
  static constexpr double kQuantileFirst = 0.9;
  static constexpr double kQuantileMin = 0.5;
  static constexpr double kQuantileMax = 0.995;
  static constexpr double kLostShare = 0.0005;
  static constexpr double kQuantileStep = 0.05;
  // A first token that is still to come after this quantile of the errors is not waited for while
  // there is another node that keeps the promise.
  static constexpr double kRescueQuantile = 0.9;
  static constexpr double kUntested = 0.05;  // the allowance before enough was seen
  static constexpr size_t kTestedMin = 24;
  static constexpr double kAllowanceMax = 1.0;

  // `forecast` without correction; `promised`: the TTFT that was to be kept. `overtaken`: prompts
  // that were sent later shared its last step, which the forecast could not know, nor
  // had to: there was time for it.
  void add(Duration forecast, Duration actual, Duration promised, bool overtaken);
  Duration bias() const { return Duration::us(static_cast<int64_t>(bias_us_)); }
  double allowance() const { return allowance_; }  // share of the forecast
  double rescue_allowance() const { return rescue_allowance_; }
  void refresh();  // a few times a second

 private:
  double bias_us_ = 0;
  double bias_weight_ = 0;
  std::deque<double> errors_;  // shares, beyond the bias
  double quantile_ = kQuantileFirst;
  bool changed_ = false;
  double allowance_ = kUntested;
  double rescue_allowance_ = kUntested;
};

}  // namespace sluice::sense
