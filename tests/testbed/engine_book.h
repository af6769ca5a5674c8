// What an engine counts for its metrics: cumulative since its start, until it begins anew.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "tests/testbed/metric_text.h"

namespace sluice::testbed {

enum class MetricsDialect { vllm_v1, vllm_v0, sglang, tgi, llamacpp, trtllm, mindie, none };
// v1 v0 sglang tgi llamacpp trtllm mindie none
std::optional<MetricsDialect> metrics_dialect_named(std::string_view name);

// These count a request's tokens when it ends; the others while they come. Sources:
// sglang metrics collector (observe_one_finished_request), TGI router (histograms of requests),
// TensorRT-LLM collector (log_request_metrics_dict).
bool counts_at_end(MetricsDialect dialect);

struct EngineBook {
  explicit EngineBook(MetricsDialect dialect);

  std::uint64_t requests = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t generation_tokens = 0;
  std::uint64_t decodes = 0;  // tokens that were not a request's first
  double decode_seconds = 0;
  double prompt_seconds = 0;
  std::map<std::string, std::uint64_t, std::less<>> success;  // by reason
  Histogram ttft;
  Histogram gap;  // of trtllm and TGI: the mean of a request, once it has ended
  Histogram e2e;
  Histogram queue;
  Histogram inference;
  Histogram input_length;
  Histogram output_length;
};

struct EngineGauges {
  int running = 0;
  int waiting = 0;
  double kv_usage = 0;
  std::uint64_t preemptions = 0;
  int limit = 0;               // requests that it runs at once
  std::int64_t kv_tokens = 0;  // that fit
  bool asleep = false;
};

}  // namespace sluice::testbed
