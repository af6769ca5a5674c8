#include "firmware/sense/step_fit.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace sluice::sense {

namespace {

// Windows of pure decoding end after this many steps; others at the first token after it.
constexpr double kStepsMin = 8;
// A window whose prompts have not all begun must be this long, so that the tokens of the chunk
// that was shared at its ends are few in it.
constexpr double kOpenWindowUs = 1.5e6;
// A window that the model misses by this share is badly explained; this many in a row are a change.
constexpr double kBad = 0.25;
constexpr double kBadRun = 6;
constexpr double kAfterChange = 0.02;
constexpr double kErrorPart = 0.05;
// Of the prompt tokens computed, this share came in steps that carried no more than the chunk.
constexpr double kChunkShare = 0.7;
constexpr size_t kFillsMin = 8;
// Without any knowledge: what a mid-sized engine costs, in the units of a row.
constexpr std::array<double, StepFit::kCosts> kGuess = {10e3, 300, 30, 400e3};
constexpr double kGuessWeight = 1e-4;
constexpr double kPriorWeight = 0.05;
// Rows count context and prompt in thousands of tokens.
constexpr double kThousand = 1000;

}  // namespace

void StepFit::set_prior(const valve::StepModel& prior) {
  prior_ = {prior.base_us, prior.per_seq_us, prior.per_kv_token_us * kThousand,
            prior.prefill_us_per_token * kThousand};
  prior_weight_ = kPriorWeight;
  prior_chunk_ = prior.chunk_tokens;
  if (windows_ < kWindowsMin) model_ = prior;
}

void StepFit::step(const StepSeen& seen) {
  const double us = static_cast<double>(seen.length.as_us());
  if (!open_ && !seen.waiting) open_ = true;
  window_.us += us;
  window_.steps += 1;
  window_.sequences += seen.decoding;
  window_.kv_ktokens += seen.kv / kThousand;
  model_.sequences_max = std::max(model_.sequences_max, seen.decoding);
  if (seen.waiting) {
    window_.pending += 1;
    if (model_.prefill_us_per_token > 0) {
      const double fill =
          (us - model_.decode_us(seen.decoding, seen.kv)) / model_.prefill_us_per_token;
      if (fill > 1) {
        fills_.push_back(fill);
        if (fills_.size() > kFillsRemembered) fills_.pop_front();
      }
    }
  } else if (open_ && window_.pending == 0 && window_.steps >= kStepsMin) {
    close_window();
  }
}

void StepFit::interrupted() {
  window_ = Window();
  open_ = false;
}

void StepFit::prefilled(Tokens uncached, bool queue_empty) {
  if (!open_) {  // what was computed before now is certain: a window may begin
    open_ = true;
    window_ = Window();
    window_.pending = queue_empty ? 0 : 1;
    return;
  }
  window_.prefill += static_cast<double>(uncached.count) / kThousand;
  window_.pending = queue_empty ? 0 : 1;
  const bool long_enough = window_.us >= kOpenWindowUs || (queue_empty && window_.steps >= 2);
  if (long_enough) close_window();
}

double StepFit::predicted_us(const Costs& row) const {
  return row[0] * model_.base_us + row[1] * model_.per_seq_us +
         row[2] * model_.per_kv_token_us * kThousand +
         row[3] * model_.prefill_us_per_token * kThousand;
}

void StepFit::close_window() {
  const Window window = window_;
  const int pending = window.pending;
  window_ = Window();
  window_.pending = pending;
  if (window.steps < 1 || window.us <= 0) return;
  const Costs row = {window.steps, window.sequences, window.kv_ktokens, window.prefill};
  if (model_.is_known()) {
    const double error = (predicted_us(row) - window.us) / window.us;
    error_ += (error * error - error_) * kErrorPart;
    bad_in_row_ = std::abs(error) > kBad ? bad_in_row_ + 1 : 0;
  }
  double keep = 1 - 1 / kWindowsRemembered;
  if (bad_in_row_ >= kBadRun) {
    keep = kAfterChange;
    bad_in_row_ = 0;
    prior_weight_ = 0;
    fills_.clear();
  }
  // The variance of a window's time grows with its length.
  const double weight = 1 / window.us;
  for (size_t i = 0; i < kCosts; ++i) {
    for (size_t j = 0; j < kCosts; ++j)
      normal_[i][j] = normal_[i][j] * keep + weight * row[i] * row[j];
    target_[i] = target_[i] * keep + weight * row[i] * window.us;
  }
  windows_ = windows_ * keep + 1;
}

// Least squares under the prior, with costs that would be negative taken as zero, one at a time.
std::optional<StepFit::Costs> StepFit::solve() const {
  std::array<bool, kCosts> zero{};
  std::optional<Costs> result;
  for (size_t round = 0; round <= kCosts; ++round) {
    std::array<Costs, kCosts> matrix{};
    Costs target{};
    for (size_t i = 0; i < kCosts; ++i) {
      if (zero[i]) {
        matrix[i][i] = 1;
        continue;
      }
      const double scale = 1 / kGuess[i];  // so that each cost is held alike, as a share of itself
      const double pull =
          (prior_weight_ > 0 ? prior_weight_ : kGuessWeight) * scale * scale * kGuess[0];
      for (size_t j = 0; j < kCosts; ++j) matrix[i][j] = zero[j] ? 0 : normal_[i][j];
      matrix[i][i] += pull;
      target[i] = target_[i] + pull * (prior_weight_ > 0 ? prior_[i] : kGuess[i]);
    }
    result = solve_linear(matrix, target, 0);
    if (!result) return std::nullopt;
    const auto worst = std::min_element(result->begin(), result->end());
    if (*worst >= 0) return result;
    zero[static_cast<size_t>(worst - result->begin())] = true;
  }
  return result;
}

void StepFit::learn_chunk() {
  model_.chunk_tokens = prior_chunk_;
  if (fills_.size() < kFillsMin) return;
  std::vector<double> fills(fills_.begin(), fills_.end());
  std::sort(fills.begin(), fills.end());
  double whole = 0;
  for (const double fill : fills) whole += fill;
  double sum = 0;
  for (const double fill : fills) {
    sum += fill;
    if (sum < kChunkShare * whole) continue;
    model_.chunk_tokens = std::max<int64_t>(1, std::llround(fill));
    return;
  }
}

void StepFit::refresh() {
  if (windows_ < kWindowsMin) return;
  const std::optional<Costs> costs = solve();
  if (!costs) return;
  model_.base_us = (*costs)[0];
  model_.per_seq_us = (*costs)[1];
  model_.per_kv_token_us = (*costs)[2] / kThousand;
  model_.prefill_us_per_token = (*costs)[3] / kThousand;
  model_.spread = std::sqrt(error_);
  learn_chunk();
}

}  // namespace sluice::sense
