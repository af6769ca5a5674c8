#include "firmware/valve/candidate.h"

#include <algorithm>

namespace sluice::valve {

namespace {

// How long an answer may be whose request names no maximum.
constexpr int64_t kUnsaidOutputTokens = 4096;

}  // namespace

Duration first_byte_max(const Ask& ask, Duration tpot, Instant now, const Policy& policy) {
  Duration most = policy.first_byte_max;
  const int64_t tokens =
      ask.output_tokens_max.count > 0 ? ask.output_tokens_max.count : kUnsaidOutputTokens;
  if (!ask.stream) most = most + tpot * (2 * tokens);
  return std::min(most, ask.deadline - now);
}

Candidate candidate_of(const NodeView& node, const Forecast& forecast, const Score& score,
                       Duration first_byte_max) {
  return {node.id, node.place, first_byte_max, forecast, score.price + score.carbon, score.total()};
}

}  // namespace sluice::valve
