#include "firmware/rehearse/engine.h"

#include <algorithm>
#include <cmath>

#include "firmware/base/check.h"

namespace sluice::rehearse {

bool Engine::fits(int64_t tokens) const {
  return spec_.kv_max.count == 0 || tokens <= spec_.kv_max.count;
}

bool Engine::submit(uint32_t request, int64_t prompt, int64_t output, Instant now) {
  if (!fits(prompt + output)) return false;
  waiting_.push_back({request, prompt, output});
  if (!step_end_) begin_step(now);
  return true;
}

void Engine::cancel(uint32_t request) {
  const auto is_it = [request](const Sequence& sequence) { return sequence.request == request; };
  std::erase_if(waiting_, is_it);
  const auto found = std::find_if(running_.begin(), running_.end(), is_it);
  if (found == running_.end()) return;
  kv_used_ -= found->context();
  running_.erase(found);
}

std::optional<double> Engine::kv_usage() const {
  if (spec_.kv_max.count == 0) return std::nullopt;
  return static_cast<double>(kv_used_) / static_cast<double>(spec_.kv_max.count);
}

// True: somebody had to go back to the queue, to be computed again later.
bool Engine::make_room() {
  bool preempted = false;
  while (running_.size() > 1 && !fits(kv_used_ + running())) {
    Sequence youngest = running_.back();
    running_.pop_back();
    kv_used_ -= youngest.context();
    youngest.filled = 0;
    youngest.decoding = false;
    waiting_.push_front(youngest);
    preempted = true;
  }
  return preempted;
}

// Gives a sequence its part of the step's chunk.
int64_t Engine::compute(Sequence& sequence, int64_t budget) {
  sequence.chunk = std::min(budget, sequence.context() - sequence.filled);
  return sequence.chunk;
}

int64_t Engine::admit(int64_t budget) {
  int64_t computed = 0;
  while (!waiting_.empty() && running() < spec_.slots && computed < budget) {
    const int64_t growth = running() + 1;  // a token for each in this step
    if (!fits(kv_used_ + growth + waiting_.front().context()) && !running_.empty()) break;
    kv_used_ += waiting_.front().context();
    running_.push_back(waiting_.front());
    waiting_.pop_front();
    computed += compute(running_.back(), budget - computed);
  }
  return computed;
}

void Engine::begin_step(Instant at) {
  const bool preempted = make_room();
  const int64_t budget = spec_.step.chunk_tokens;
  int64_t prefill = 0;
  double decoding = 0;
  double kv = 0;
  for (Sequence& sequence : running_) {
    if (sequence.decoding) {
      ++decoding;
      kv += static_cast<double>(sequence.context());
    } else {
      prefill += compute(sequence, budget - prefill);
    }
  }
  if (!preempted) prefill += admit(budget - prefill);
  step_end_.reset();
  if (running_.empty()) return;
  const double us = spec_.step.decode_us(decoding, kv) +
                    spec_.step.prefill_us_per_token * static_cast<double>(prefill);
  step_end_ = at + Duration::us(std::max<int64_t>(1, std::llround(us)));
}

void Engine::note(const Sequence& sequence) {
  (sequence.generated == 1 ? done_.firsts : done_.tokens).push_back(sequence.request);
  if (sequence.generated == sequence.output) done_.ended.push_back(sequence.request);
}

const StepDone& Engine::finish_step() {
  ENSURE(step_end_.has_value());
  done_.tokens.clear();
  done_.firsts.clear();
  done_.ended.clear();
  size_t kept = 0;
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = running_[i];
    sequence.filled += sequence.chunk;
    sequence.chunk = 0;
    if (!sequence.decoding) sequence.decoding = sequence.filled >= sequence.context();
    if (sequence.decoding) {
      ++sequence.generated;
      ++kv_used_;
      note(sequence);
    }
    if (sequence.generated == sequence.output) {
      kv_used_ -= sequence.context();
    } else {
      if (kept != i) running_[kept] = sequence;
      ++kept;
    }
  }
  running_.resize(kept);
  begin_step(*step_end_);
  return done_;
}

}  // namespace sluice::rehearse
