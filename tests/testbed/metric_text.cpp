#include "tests/testbed/metric_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sluice::testbed {

namespace {

std::string number(PageStyle style, double value) {
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  if (!whole) return fmt::format("{}", value);
  return style == PageStyle::python ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

std::string both(std::string_view labels, std::string_view more) {
  return labels.empty() ? std::string(more) : fmt::format("{},{}", labels, more);
}

}  // namespace

std::string metric_family(PageStyle style, std::string_view name, std::string_view type,
                          std::string_view help) {
  std::string text;
  if (style != PageStyle::rust) text = fmt::format("# HELP {} {}\n", name, help);
  return text + fmt::format("# TYPE {} {}\n", name, type);
}

std::string metric_sample(PageStyle style, std::string_view name, std::string_view labels,
                          double value) {
  if (labels.empty()) return fmt::format("{} {}\n", name, number(style, value));
  return fmt::format("{}{{{}}} {}\n", name, labels, number(style, value));
}

std::string metric_single(PageStyle style, std::string_view name, std::string_view type,
                          std::string_view help, std::string_view labels, double value) {
  return metric_family(style, name, type, help) + metric_sample(style, name, labels, value) +
         (style == PageStyle::rust ? "\n" : "");
}

std::string escape_label(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::observe(double value) {
  const auto place = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  ++counts_[static_cast<std::size_t>(place - bounds_.begin())];
  sum_ += value;
  ++count_;
}

std::string Histogram::render(PageStyle style, std::string_view name,
                              std::string_view labels) const {
  std::string buckets;
  std::uint64_t below = 0;
  const auto bucket = [&](const std::string& bound) {
    buckets +=
        metric_sample(style, fmt::format("{}_bucket", name),
                      both(labels, fmt::format("le=\"{}\"", bound)), static_cast<double>(below));
  };
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    below += counts_[i];
    bucket(style == PageStyle::python ? number(style, bounds_[i]) : fmt::format("{}", bounds_[i]));
  }
  below = count_;
  bucket("+Inf");
  const std::string count =
      metric_sample(style, fmt::format("{}_count", name), labels, static_cast<double>(count_));
  const std::string sum = metric_sample(style, fmt::format("{}_sum", name), labels, sum_);
  const std::string head = metric_family(style, name, "histogram", "Histogram.");
  switch (style) {
    case PageStyle::cpp:
      return head + count + sum + buckets;
    case PageStyle::rust:
      return head + buckets + sum + count + "\n";
    case PageStyle::plain:
    case PageStyle::python:
      break;
  }
  return head + buckets + count + sum;
}

}  // namespace sluice::testbed
