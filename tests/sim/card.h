// The cards of tests/data/cards as costs of a step: s(b, K, c) = a0 + a1 b + a2 K + p c.
// Units there: a0, a1, p in ms (p per prompt token); a2 in microseconds per 1,000 KV tokens.
// For users in a closed loop with prompts and answers of 1,024 tokens each further one adds
// kappa = a1 + a2 * 1,536 tokens + p to the step: for H20 x 2 that is 0.2075 + 0.0629 + 0.4029 ms.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/testbed/step_cost.h"

namespace sluice::sim {

struct Card {
  std::string name;  // e.g. "H20x2"
  testbed::StepCost cost;
  double kappa_ms = 0;      // as published with the fit
  int users_at_15_tps = 0;  // the capacity that it was fitted to
};

const std::vector<Card>& all_cards();

// Stops the program if there is none of this name. `chunk_tokens`: prefill tokens in one step.
testbed::StepCost card_named(std::string_view name, int64_t chunk_tokens, int max_num_seqs = 256);

}  // namespace sluice::sim
