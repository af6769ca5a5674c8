// Requests as they came, and how they are fitted to an engine.
//
// The load on an engine is its marginal work over what it can do. One step takes
// a0 + a1 b + a2 K + p c (b sequences decoding, K tokens of KV memory, c tokens of prefill), so a
// request of P prompt and L output tokens adds
//     work = p P + L (a1 + a2 (P + L / 2))                                            (1)
// and an engine that must give a token at least every 100 ms has 1 - a0 / 0.1 s left for it:
//     rho = sum of work / ((1 - a0 / 0.1 s) x time)                                   (2)
// A wanted rho is reached by stretching time, which keeps bursts as they are.
//
// Formats: Azure's CSV (TIMESTAMP, ContextTokens, GeneratedTokens), CSV with the columns t_s,
// client, input_tokens, output_tokens and any others behind them (ServeGen), Mooncake's JSON lines
// (timestamp in ms, input_length, output_length, hash_ids of 512-token blocks). Errors of parsing:
// broken, with the line and what belongs there.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::rehearse {

struct Arrival {
  int64_t at_us = 0;  // since the first
  uint32_t client = 0;
  int64_t prompt_tokens = 0;  // at least 1, as is output_tokens
  int64_t output_tokens = 0;
  std::vector<uint64_t> blocks = {};  // what each block of the prompt is; empty = not recorded
  bool operator==(const Arrival&) const = default;
};

using Trace = std::vector<Arrival>;  // in order of time

inline constexpr size_t kArrivalsMax = 4'000'000;
inline constexpr int64_t kArrivalTokensMax = 100'000'000;
inline constexpr double kArrivalSecondsMax = 1e11;  // since 1970, or since the first

// The marginal costs of (1), in seconds.
struct WorkLaw {
  double step_s = 0;              // a0
  double per_sequence_s = 0;      // a1
  double per_kv_token_s = 0;      // a2
  double per_prompt_token_s = 0;  // p
};

inline constexpr double kStepSecondsMax = 0.1;  // a token at least as often

Result<Trace> parse_trace(std::string_view text);

// Sorts by time, and moves all so that the first comes at zero.
void in_order_from_zero(Trace& trace);

double work_seconds(const Arrival& arrival, const WorkLaw& law);
double offered_load(const Trace& trace, const WorkLaw& law);  // rho of (2)

// The same arrivals, their times stretched so that offered_load() is `rho`.
Trace dilated(Trace trace, const WorkLaw& law, double rho);
// The same arrivals `speed` times as fast.
Trace hurried(Trace trace, double speed);

}  // namespace sluice::rehearse
