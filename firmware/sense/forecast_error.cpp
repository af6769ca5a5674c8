#include "firmware/sense/forecast_error.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace sluice::sense {

namespace {

constexpr double kBiasWeightMax = 200;
// Of the promise: shorter waits tell little about long ones.
constexpr double kTelling = 0.25;
// A single error moves the bias by no more than this.
constexpr double kBiasErrorMaxUs = 200e3;

}  // namespace

void ForecastError::add(Duration forecast, Duration actual, Duration promised, bool overtaken) {
  const double promised_us = static_cast<double>(promised.as_us());
  const bool lost = actual > promised;
  quantile_ = std::clamp(quantile_ + kQuantileStep * ((lost ? 1 : 0) - kLostShare), kQuantileMin,
                         kQuantileMax);
  if (overtaken) return;
  const double error_us = static_cast<double>((actual - forecast).as_us());
  bias_weight_ = std::min(bias_weight_ + 1, kBiasWeightMax);
  const double seen = std::clamp(error_us, -kBiasErrorMaxUs, kBiasErrorMaxUs);
  bias_us_ += (seen - bias_us_) / bias_weight_;
  const double expected_us = static_cast<double>(forecast.as_us()) + bias_us_;
  if (expected_us < kTelling * promised_us) return;
  errors_.push_back((error_us - bias_us_) / expected_us);
  if (errors_.size() > kRemembered) errors_.pop_front();
  changed_ = true;
}

void ForecastError::refresh() {
  if (!changed_ || errors_.size() < kTestedMin) return;
  changed_ = false;
  std::vector<double> sorted(errors_.begin(), errors_.end());
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&sorted](double quantile) {
    const double place = quantile * static_cast<double>(sorted.size() - 1);
    return std::clamp(sorted[static_cast<size_t>(place)], 0.0, kAllowanceMax);
  };
  allowance_ = at(quantile_);
  rescue_allowance_ = at(kRescueQuantile);
}

}  // namespace sluice::sense
