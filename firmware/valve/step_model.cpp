#include "firmware/valve/step_model.h"

namespace sluice::valve {

std::optional<int64_t> chunk_within(const StepModel& model, double sequences, double kv_tokens,
                                    Duration tpot_max) {
  const double left = static_cast<double>(tpot_max.as_us()) - model.decode_us(sequences, kv_tokens);
  if (left <= 0 || model.prefill_us_per_token <= 0) return std::nullopt;
  const auto tokens = static_cast<int64_t>(left / model.prefill_us_per_token);
  return tokens >= 1 ? std::optional(tokens) : std::nullopt;
}

}  // namespace sluice::valve
