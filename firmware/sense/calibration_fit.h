// From what a calibration saw to the engine's step model. Pure.
//
// Decode: windows in which b sequences decode and nothing is prefilled. A window's mean step is
// base + per_seq * b + per_kv_token * K; fitted by least squares of relative errors, so that an
// idle engine counts as much as a full one. K grows with b: the term is kept only if it explains
// most of what is left without it. Prefill: one stream decodes on an idle engine while a prompt of
// n tokens comes. Each step that carries c of them is longer by prefill * c: all that is added is
// prefill * n, and the greatest that is added to one step is prefill * chunk.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "firmware/valve/step_model.h"

namespace sluice::sense {

struct DecodeWindow {
  double sequences = 0;
  double kv_tokens = 0;
  double step_us = 0;
};

struct PrefillTrial {
  int64_t prompt_tokens = 0;
  double quiet_us = 0;           // a step of the one stream before the prompt came
  std::vector<double> steps_us;  // from the prompt's coming to its first token
};

struct DecodeFit {
  double base_us = 0;
  double per_seq_us = 0;
  double per_kv_token_us = 0;
  double spread = 0;  // standard deviation of relative errors
};

struct PrefillFit {
  double us_per_token = 0;
  int64_t chunk_tokens = 0;
  bool is_at_least = false;  // no prompt was long enough to be cut
};

// Nothing: fewer than two different numbers of sequences.
std::optional<DecodeFit> fit_decode(const std::vector<DecodeWindow>& windows);
// Nothing: no trial shows any prefill.
std::optional<PrefillFit> fit_prefill(const std::vector<PrefillTrial>& trials);

}  // namespace sluice::sense
