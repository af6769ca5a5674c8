#include "tests/testbed/engine_book.h"

#include <cmath>
#include <utility>
#include <vector>

namespace sluice::testbed {

namespace {

using Bounds = std::vector<double>;

Bounds ttft_bounds(MetricsDialect dialect) {
  if (dialect == MetricsDialect::sglang) {
    return {.1, .2, .4, .6, .8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400};
  }
  Bounds bounds = {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10};
  if (dialect == MetricsDialect::vllm_v1) {
    bounds.insert(bounds.end(), {20, 40, 80, 160, 640, 2560});
  }
  if (dialect == MetricsDialect::trtllm) bounds.insert(bounds.end(), {20, 40, 80});
  return bounds;
}

// TGI's router: 0.0001 s times powers of 1.5.
Bounds tgi_bounds() {
  Bounds bounds;
  for (int n = 0; n <= 34; ++n) bounds.push_back(1e-4 * std::pow(1.5, n));
  return bounds;
}

Bounds gap_bounds(MetricsDialect dialect) {
  if (dialect == MetricsDialect::tgi) return tgi_bounds();
  if (dialect == MetricsDialect::sglang) {
    return {.002, .004, .006, .008, .01, .015, .02, .025, .03, .035, .04, .06,
            .08,  .1,   .2,   .4,   .6,  .8,   1,   2,    4,   6,    8};
  }
  Bounds bounds = {.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5};
  if (dialect == MetricsDialect::vllm_v1 || dialect == MetricsDialect::trtllm) {
    bounds.insert(bounds.end(), {5, 7.5, 10, 20});
    bounds.insert(bounds.end(), {40, 80});
  }
  return bounds;
}

Bounds request_bounds(MetricsDialect dialect) {
  if (dialect == MetricsDialect::tgi) return tgi_bounds();
  Bounds bounds = {.3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60};
  if (dialect != MetricsDialect::mindie) {
    bounds.insert(bounds.end(), {120, 240, 480, 960, 1920, 7680});
  }
  return bounds;
}

Bounds length_bounds() {
  Bounds bounds;
  for (int n = 1; n <= 16; ++n) bounds.push_back(std::pow(2.0, n));
  return bounds;
}

}  // namespace

std::optional<MetricsDialect> metrics_dialect_named(std::string_view name) {
  const std::pair<std::string_view, MetricsDialect> known[] = {
      {"v1", MetricsDialect::vllm_v1},        {"v0", MetricsDialect::vllm_v0},
      {"sglang", MetricsDialect::sglang},     {"tgi", MetricsDialect::tgi},
      {"llamacpp", MetricsDialect::llamacpp}, {"trtllm", MetricsDialect::trtllm},
      {"mindie", MetricsDialect::mindie},     {"none", MetricsDialect::none}};
  for (const auto& [text, dialect] : known) {
    if (text == name) return dialect;
  }
  return std::nullopt;
}

bool counts_at_end(MetricsDialect dialect) {
  return dialect == MetricsDialect::sglang || dialect == MetricsDialect::tgi ||
         dialect == MetricsDialect::trtllm;
}

EngineBook::EngineBook(MetricsDialect dialect)
    : success{{"abort", 0}, {"length", 0}, {"stop", 0}},
      ttft(ttft_bounds(dialect)),
      gap(gap_bounds(dialect)),
      e2e(request_bounds(dialect)),
      queue(request_bounds(dialect)),
      inference(request_bounds(dialect)),
      input_length(length_bounds()),
      output_length(length_bounds()) {}

}  // namespace sluice::testbed
