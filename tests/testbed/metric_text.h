// Pieces of a page in Prometheus' text format 0.0.4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::testbed {

// Engines written in Python (prometheus_client) print every value as a float, "14.0", and the
// buckets before count and sum; C++ (prometheus-cpp) prints "14", and count and sum first; Rust
// prints no HELP and an empty line after every family.
enum class PageStyle { plain, python, cpp, rust };

// `labels` without braces; empty: none.
std::string metric_family(PageStyle style, std::string_view name, std::string_view type,
                          std::string_view help);
std::string metric_sample(PageStyle style, std::string_view name, std::string_view labels,
                          double value);
// A family of one sample.
std::string metric_single(PageStyle style, std::string_view name, std::string_view type,
                          std::string_view help, std::string_view labels, double value);
std::string escape_label(std::string_view text);

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);
  std::string render(PageStyle style, std::string_view name, std::string_view labels) const;
  double sum() const { return sum_; }
  std::uint64_t count() const { return count_; }

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  // one per bound, and one beyond the last
  double sum_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace sluice::testbed
