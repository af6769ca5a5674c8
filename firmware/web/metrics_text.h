// Writes a metrics page in Prometheus text format 0.0.4: HELP and TYPE once per family, then all
// its samples together. Source: prometheus.io/docs/instrumenting/exposition_formats.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/meter/meter_view.h"

namespace sluice::web {

using MetricLabels = std::vector<std::pair<std::string_view, std::string_view>>;

class MetricsText {
 public:
  // Order: a family, then its samples, then the next family. A name stands for one family only.
  // `type`: counter, gauge, histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(const MetricLabels& labels, double value);
  void sample(const MetricLabels& labels, uint64_t value);
  void histogram(const MetricLabels& labels, const meter::Distribution& distribution);

  std::string take() { return std::move(text_); }

 private:
  void line(std::string_view suffix, const MetricLabels& labels, std::string_view value);

  std::string text_;
  std::string name_;
};

}  // namespace sluice::web
