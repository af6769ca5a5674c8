#include "firmware/web/metrics_text.h"

#include <fmt/format.h>

#include <cmath>

namespace sluice::web {

namespace {

std::string escaped(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string value_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

}  // namespace

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void MetricsText::sample(const MetricLabels& labels, double value) {
  line("", labels, value_text(value));
}

void MetricsText::sample(const MetricLabels& labels, uint64_t value) {
  line("", labels, std::to_string(value));
}

void MetricsText::histogram(const MetricLabels& labels, const meter::Distribution& distribution) {
  uint64_t below = 0;
  MetricLabels with_bound = labels;
  with_bound.emplace_back("le", "");
  for (size_t i = 0; i < distribution.bounds.size(); ++i) {
    if (i < distribution.counts.size()) below += distribution.counts[i];
    const std::string bound = value_text(distribution.bounds[i]);
    with_bound.back().second = bound;
    line("_bucket", with_bound, std::to_string(below));
  }
  with_bound.back().second = "+Inf";
  line("_bucket", with_bound, std::to_string(distribution.total));
  line("_sum", labels, value_text(distribution.sum));
  line("_count", labels, std::to_string(distribution.total));
}

void MetricsText::line(std::string_view suffix, const MetricLabels& labels,
                       std::string_view value) {
  text_.append(name_).append(suffix);
  char separator = '{';
  for (const auto& [name, text] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", separator, name, escaped(text));
    separator = ',';
  }
  if (!labels.empty()) text_.push_back('}');
  text_.append(" ").append(value).append("\n");
}

}  // namespace sluice::web
