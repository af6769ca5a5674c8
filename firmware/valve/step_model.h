// What one step of a continuous-batching engine with chunked prefill costs:
//
//   step(b, K, c) = base + per_seq * b + per_kv_token * K + prefill * c
//
// with b sequences that decode, K tokens of context that these attend to, and c <= chunk prompt
// tokens computed in the same step. Every decoding sequence gets one token a step, so a step's
// length is the time per output token; a prompt of n tokens takes ceil(n / chunk) steps. The form
// is that of vLLM's and SGLang's schedulers (Agrawal et al., Sarathi-Serve, OSDI 2024).
#pragma once

#include <cstdint>
#include <optional>

#include "firmware/base/time.h"

namespace sluice::valve {

struct StepModel {
  double base_us = 0;
  double per_seq_us = 0;
  double per_kv_token_us = 0;
  double prefill_us_per_token = 0;
  int64_t chunk_tokens = 0;  // 0 = not known, and the model is not used
  int sequences_max = 0;     // most that were seen to decode at once; beyond it is extrapolation
  double spread = 0;         // of what it says: standard deviation, as a share
  bool operator==(const StepModel&) const = default;

  bool is_known() const { return chunk_tokens > 0 && prefill_us_per_token > 0; }
  double decode_us(double sequences, double kv_tokens) const {
    return base_us + per_seq_us * sequences + per_kv_token_us * kv_tokens;
  }
  double full_us(double sequences, double kv_tokens) const {
    return decode_us(sequences, kv_tokens) +
           prefill_us_per_token * static_cast<double>(chunk_tokens);
  }
};

// The greatest chunk with which a step that carries a whole one stays within `tpot_max`, beside
// `sequences` that decode; nothing if not even one token of prefill does.
std::optional<int64_t> chunk_within(const StepModel& model, double sequences, double kv_tokens,
                                    Duration tpot_max);

}  // namespace sluice::valve
