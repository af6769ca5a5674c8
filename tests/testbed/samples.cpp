#include "tests/testbed/samples.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sluice::testbed {

void Samples::add(double value) {
  values_.push_back(value);
  sorted_ = false;
}

double Samples::mean() const {
  if (values_.empty()) return 0;
  return std::accumulate(values_.begin(), values_.end(), 0.0) / static_cast<double>(count());
}

double Samples::max() const {
  return values_.empty() ? 0 : *std::max_element(values_.begin(), values_.end());
}

double Samples::percentile(double share) const {
  if (values_.empty()) return 0;
  if (!sorted_) std::sort(values_.begin(), values_.end());
  sorted_ = true;
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(count() - 1);
  const std::size_t below = static_cast<std::size_t>(std::floor(place));
  const std::size_t above = std::min(below + 1, count() - 1);
  const double part = place - static_cast<double>(below);
  return values_[below] + part * (values_[above] - values_[below]);
}

}  // namespace sluice::testbed
