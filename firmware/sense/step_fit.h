// Learns the cost of an engine's steps (valve/step_model.h) from the steps that are seen.
//
// Steps are gathered into windows that end when it is certain how many prompt tokens were computed
// in them: at a first token. Over a window, time = base * steps + per_seq * sum b +
// per_kv_token * sum K + prefill * prompt tokens: one equation for four unknowns, solved for all
// windows by least squares with forgetting and without negative costs (active set on the normal
// equations; a weak prior holds what the load does not tell apart). The chunk is what the fullest
// steps carried: their time beyond decoding, over the time per prompt token. A run of windows that
// the model explains badly means that the engine has changed: the past then weighs little.
// A value; no clock.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/sense/engine_twin.h"
#include "firmware/sense/linear_system.h"
#include "firmware/valve/step_model.h"

namespace sluice::sense {

class StepFit {
 public:
  static constexpr size_t kCosts = 4;
  static constexpr double kWindowsRemembered = 400;
  static constexpr int kWindowsMin = 6;  // before the model is used, without a prior
  static constexpr size_t kFillsRemembered = 256;

  // What a calibration measured: believed until windows say otherwise.
  void set_prior(const valve::StepModel& prior);
  void step(const StepSeen& seen);
  // The first token of a prompt of so many uncached tokens; `queue_empty`: no other is in prefill.
  void prefilled(Tokens uncached, bool queue_empty);
  // The chain of steps was broken: no stream showed the end of one.
  void interrupted();

  void refresh();  // solves; a few times a second
  const valve::StepModel& model() const { return model_; }

 private:
  using Costs = Row<kCosts>;
  struct Window {
    double us = 0;
    double steps = 0;
    double sequences = 0;  // sum over steps
    double kv_ktokens = 0;
    double prefill = 0;  // prompt tokens whose first token came
    int pending = 0;     // steps since the last first token while prompts waited
  };
  void close_window();
  std::optional<Costs> solve() const;  // nothing: what was seen tells them not apart
  double predicted_us(const Costs& row) const;
  void learn_chunk();

  Window window_;
  bool open_ = false;  // the window began where the prompt tokens computed are certain
  std::array<Costs, kCosts> normal_{};
  Costs target_{};
  double windows_ = 0;
  double error_ = 0;       // of recent windows, relative, squared, decayed
  double bad_in_row_ = 0;  // windows that the model explains badly
  Costs prior_{};
  double prior_weight_ = 0;
  std::deque<double> fills_;  // prompt tokens that steps carried while prompts waited
  valve::StepModel model_;
  int64_t prior_chunk_ = 0;
};

}  // namespace sluice::sense
