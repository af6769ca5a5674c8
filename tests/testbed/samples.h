// Measured values and their order statistics.
#pragma once

#include <cstddef>
#include <vector>

namespace sluice::testbed {

class Samples {
 public:
  void add(double value);
  std::size_t count() const { return values_.size(); }
  double mean() const;  // 0 when empty, as below
  double max() const;
  // Linear interpolation between order statistics (the usual "type 7"); share within [0, 1].
  double percentile(double share) const;

 private:
  mutable std::vector<double> values_;
  mutable bool sorted_ = true;
};

}  // namespace sluice::testbed
