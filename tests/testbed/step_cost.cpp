#include "tests/testbed/step_cost.h"

#include <algorithm>
#include <cmath>

namespace sluice::testbed {

namespace {

constexpr double kReportSeconds = 42.0;
constexpr double kReportKnee = 35.0;
constexpr double kCollapseFrom = 60.0;
constexpr double kCollapseTo = 100.0;
constexpr double kCollapseFactor = 2.57;

StepCost free_prefill(StepCost::Curve curve) {
  StepCost cost;
  cost.curve = curve;
  cost.prefill_tps = 0;
  cost.chunk_tokens = std::int64_t{1} << 40;
  cost.kv_tokens = std::int64_t{1} << 40;
  cost.max_num_seqs = 4096;
  cost.join_share = 0.1;
  return cost;
}

double step_seconds(const StepCost& cost, const StepWork& work) {
  const int batch = work.decoding + work.prefilling;
  double ms = cost.base_ms;
  switch (cost.curve) {
    case StepCost::Curve::report_case:
      return report_case_seconds(batch) / cost.report_tokens;
    case StepCost::Curve::cloud:
      return kReportSeconds / cost.report_tokens;
    case StepCost::Curve::linear:
      ms += cost.per_seq_ms * batch;
      break;
    case StepCost::Curve::fitted:
      ms += cost.per_seq_ms * work.decoding;
      ms += cost.kv_us_per_ktok * static_cast<double>(work.kv_tokens) / 1e6;
      break;
  }
  const double prefill =
      cost.prefill_tps > 0 ? static_cast<double>(work.prefill_tokens) / cost.prefill_tps : 0;
  return ms / 1000.0 + prefill;
}

}  // namespace

std::optional<StepCost> step_cost_named(std::string_view profile) {
  if (profile == "default") return StepCost{};
  if (profile == "report-case") return free_prefill(StepCost::Curve::report_case);
  if (profile == "cloud") return free_prefill(StepCost::Curve::cloud);
  return std::nullopt;
}

double report_case_seconds(double concurrent) {
  const double queued = std::max(kReportSeconds, concurrent * kReportSeconds / kReportKnee);
  const double share =
      std::clamp((concurrent - kCollapseFrom) / (kCollapseTo - kCollapseFrom), 0.0, 1.0);
  return queued * (1.0 + (kCollapseFactor - 1.0) * share);
}

Micros step_time(const StepCost& cost, const StepWork& work, double slowdown) {
  const double seconds = step_seconds(cost, work) * slowdown / cost.compress;
  return std::max<Micros>(1, std::llround(seconds * static_cast<double>(kSecond)));
}

}  // namespace sluice::testbed
