#include "tests/sim/report/load_case.h"

#include <algorithm>

#include "tests/sim/card.h"
#include "tests/sim/synthetic.h"

namespace sluice::sim {

namespace {

constexpr const char* kChat = "azure2023_conv.csv";
constexpr const char* kReasoning = "servegen_r1_24h_x0.05.csv";
constexpr const char* kShared = "mooncake_synthetic.jsonl";
constexpr uint64_t kHeldOutSeed = 20261122;
constexpr double kHour = 3600;

Result<Trace> raw_arrivals(const LoadCase& load, const std::string& folder) {
  if (load.arrivals == "code-like") return code_like(2.5, kHour, kHeldOutSeed);
  if (load.arrivals == "diurnal") return diurnal(0.8, 24 * kHour, kHeldOutSeed);
  return read_trace(folder + "/" + load.arrivals);
}

}  // namespace

const std::vector<LoadCase>& load_cases() {
  static const std::vector<LoadCase> cases = {
      {"conv-0.7", kChat, "H20x2", 192, 0.7, 0},
      {"conv-1.0", kChat, "H20x2", 192, 1.0, 0},
      {"conv-1.5", kChat, "H20x2", 192, 1.5, 0},
      {"r1-peak", kReasoning, "H20x4", 416, 0.8, 3},
      {"r1-peak-chunk-2048", kReasoning, "H20x4", 2048, 0.8, 3},
      {"r1-day", kReasoning, "H20x4", 416, 0.8, 0},
      {"shared-0.8", kShared, "H20x8", 896, 0.8, 0},
      {"code-like-0.5", "code-like", "H20x4", 416, 0.5, 0},
      {"code-like-chunk-2048", "code-like", "H20x4", 2048, 0.5, 0},
      {"diurnal-peak", "diurnal", "H20x4", 416, 0.8, 3},
      {"diurnal-day", "diurnal", "H20x4", 416, 0.8, 0},
  };
  return cases;
}

const LoadCase* find_load_case(std::string_view name) {
  for (const LoadCase& load : load_cases()) {
    if (load.name == name) return &load;
  }
  return nullptr;
}

testbed::StepCost engine_of(const LoadCase& load) {
  return card_named(load.card, load.chunk_tokens);
}

EngineLaw law_of(const testbed::StepCost& cost) {
  return {
      {cost.base_ms / 1e3, cost.per_seq_ms / 1e3, cost.kv_us_per_ktok / 1e9, 1 / cost.prefill_tps},
      cost.chunk_tokens,
      cost.kv_tokens,
      cost.max_num_seqs};
}

Result<Trace> arrivals_of(const LoadCase& load, const std::string& trace_folder, double first_s) {
  Result<Trace> trace = raw_arrivals(load, trace_folder);
  if (!trace) return trace;
  const WorkLaw work = law_of(engine_of(load)).work;
  if (load.around_peak_hours > 0) {
    const auto length_us = static_cast<int64_t>(load.around_peak_hours * kHour * 1e6);
    trace = slice(*trace, peak_begin_us(*trace, work, length_us), length_us);
  }
  Trace stretched = dilated(*std::move(trace), work, load.rho);
  if (first_s > 0) stretched = slice(stretched, 0, static_cast<int64_t>(first_s * 1e6));
  return stretched;
}

NodeSpec unlimited_cloud() {
  TokenCloudSpec spec;
  spec.prefill_tps = 1e9;
  return token_cloud("cloud", 1000, 4000, spec);
}

}  // namespace sluice::sim
