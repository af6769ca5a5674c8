// What one step of a continuous-batching engine costs. Four curves:
//   linear       base_ms + per_seq_ms * batch + prefill tokens / prefill_tps
//   fitted       base_ms + per_seq_ms * sequences that decode + kv_us_per_ktok * thousands of
//                tokens in the KV memory of those + prefill tokens / prefill_tps
//   report_case  a request of `report_tokens` tokens takes T(N) with N requests in the batch:
//                T(N) = max(42 s, N * 42 s / 35) * collapse(N), where collapse grows linearly from
//                1 at N = 60 to 2.57 at N = 100 and stays there (72 s at 60, 308 s at 100)
//   cloud        a request of `report_tokens` tokens takes 42 s at any concurrency
// In these two prefill is free and KV memory is never short.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tests/testbed/micros.h"

namespace sluice::testbed {

struct StepCost {
  enum class Curve { linear, fitted, report_case, cloud };

  Curve curve = Curve::linear;
  double base_ms = 6.0;
  double per_seq_ms = 0.35;
  double kv_us_per_ktok = 0;    // microseconds for each 1,000 tokens (fitted)
  double prefill_tps = 8000.0;  // 0: prefill is free
  std::int64_t chunk_tokens = 2048;
  std::int64_t kv_tokens = 524288;
  int max_num_seqs = 256;
  int report_tokens = 50;
  double compress = 1.0;  // every time is divided by it
  // A request that arrives within this share of a step's start belongs to that step. A closed loop
  // of clients would otherwise lose a whole step per request to a round trip of a millisecond.
  double join_share = 0.0;
  // As vLLM's scheduler: a request stays in the queue, and counts as waiting, until a step has room
  // in its chunk for a part of its prompt. Else it counts as running from the next step on. Both
  // compute prompts in the same order and at the same times.
  bool admits_by_chunk = false;
};

// "default", "report-case" or "cloud".
std::optional<StepCost> step_cost_named(std::string_view profile);

double report_case_seconds(double concurrent);

// What one step has to do.
struct StepWork {
  int decoding = 0;            // sequences that get their next token
  int prefilling = 0;          // sequences that get a part of their prompt computed
  std::int64_t kv_tokens = 0;  // context of those that decode
  std::int64_t prefill_tokens = 0;
};

// At least one microsecond.
Micros step_time(const StepCost& cost, const StepWork& work, double slowdown = 1);

}  // namespace sluice::testbed
