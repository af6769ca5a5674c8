#include "tests/sim/exact_engine.h"

#include <algorithm>

namespace sluice::sim {

void ExactEngine::submit(double now_s, int64_t prompt_tokens, int64_t output_tokens) {
  advance(now_s);
  pending_.push_back({now_s, prompt_tokens, output_tokens, prompt_tokens});
  kv_pending_ += prompt_tokens;
  if (!stepping_) begin_step(now_s);
}

bool ExactEngine::fits(double now_s, int64_t prompt_tokens, int64_t output_tokens) const {
  ExactEngine future = *this;
  future.submit(now_s, prompt_tokens, output_tokens);
  while (future.stepping_) {
    if (future.pending_.empty() && !future.decoding_.empty()) {
      future.skip_steps(future.decoding_.back().last_step - future.step_ - 1);
    }
    if (future.has_overrun()) return false;
    future.finish_step();
    if (future.missed_ > missed_) return false;
  }
  return true;
}

void ExactEngine::advance(double now_s) {
  while (stepping_ && step_end_s_ <= now_s) finish_step();
}

void ExactEngine::finish() {
  while (stepping_) finish_step();
}

// The step under way is number step_ + 1.
void ExactEngine::begin_step(double at_s) {
  stepping_ = !pending_.empty() || !decoding_.empty();
  if (!stepping_) return;
  const auto decoding = static_cast<int64_t>(decoding_.size());
  int64_t budget = law_.chunk_tokens;
  int64_t places = law_.sequences_max - decoding;
  for (const Pending& pending : pending_) {
    if (places-- <= 0 || budget == 0) break;
    budget -= std::min(budget, pending.left);
  }
  step_prefill_ = law_.chunk_tokens - budget;
  const WorkLaw& cost = law_.work;
  step_end_s_ = at_s + cost.step_s + cost.per_sequence_s * static_cast<double>(decoding) +
                cost.per_kv_token_s * static_cast<double>(kv_) +
                cost.per_prompt_token_s * static_cast<double>(step_prefill_);
}

void ExactEngine::finish_step() {
  ++step_;
  kv_ += static_cast<int64_t>(decoding_.size());
  while (!decoding_.empty() && decoding_.back().last_step == step_) {
    judge(decoding_.back());
    kv_ -= decoding_.back().prompt + decoding_.back().output;
    decoding_.pop_back();
  }
  size_t computed = 0;
  for (Pending& pending : pending_) {
    const int64_t part = std::min(step_prefill_, pending.left);
    pending.left -= part;
    step_prefill_ -= part;
    if (pending.left > 0) break;
    ++computed;
    start_decoding(pending);
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(computed));
  begin_step(step_end_s_);
}

// `count` steps at once in which nobody comes, begins or ends: each takes a2 b longer than the one
// before it. The step under way is the first of them.
void ExactEngine::skip_steps(int64_t count) {
  if (count <= 0) return;
  const auto decoding = static_cast<double>(decoding_.size());
  const auto steps = static_cast<double>(count);
  const WorkLaw& cost = law_.work;
  const double growth = cost.per_kv_token_s * decoding;
  const double first =
      cost.step_s + cost.per_sequence_s * decoding + cost.per_kv_token_s * static_cast<double>(kv_);
  // The step under way ends at step_end_s_; the next ones take first + growth, first + 2 growth...
  step_end_s_ += steps * first + growth * steps * (steps + 1) / 2;
  kv_ += count * static_cast<int64_t>(decoding_.size());
  step_ += count;
}

void ExactEngine::start_decoding(const Pending& pending) {
  kv_pending_ -= pending.prompt;
  Decoding sequence{step_ + pending.output - 1, pending.arrived_s, step_end_s_, pending.prompt,
                    pending.output};
  if (sequence.first_s - sequence.arrived_s > level_.ttft_s) ++missed_;
  if (pending.output == 1) {
    ++ended_count_;
    return;
  }
  kv_ += pending.prompt + 1;
  const auto later = [](const Decoding& a, const Decoding& b) { return a.last_step > b.last_step; };
  decoding_.insert(std::upper_bound(decoding_.begin(), decoding_.end(), sequence, later), sequence);
}

void ExactEngine::judge(const Decoding& sequence) {
  ++ended_count_;
  const double allowed = level_.tpot_s * static_cast<double>(sequence.output - 1);
  const bool was_late = sequence.first_s - sequence.arrived_s > level_.ttft_s;
  if (!was_late && step_end_s_ - sequence.first_s > allowed) ++missed_;
}

bool ExactEngine::has_overrun() const {
  const auto here = static_cast<int64_t>(decoding_.size() + pending_.size());
  return kv_ + kv_pending_ + here > law_.kv_tokens;
}

}  // namespace sluice::sim
