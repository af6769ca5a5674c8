#include "tests/testbed/engine_model.h"

#include <algorithm>
#include <utility>

namespace sluice::testbed {

bool EngineModel::submit(Micros now, RequestId id, std::int64_t prompt_tokens,
                         std::int64_t output_tokens) {
  advance(now);
  const std::int64_t prompt = std::max<std::int64_t>(1, prompt_tokens);
  const std::int64_t output = std::max<std::int64_t>(1, output_tokens);
  if (prompt + output > cost_.kv_tokens) return false;
  waiting_.push_back(Sequence{.id = id, .prompt = prompt, .output = output});
  if (!stepping_) {
    begin_step(now);
    return true;
  }
  const double joinable = cost_.join_share * static_cast<double>(step_end_ - step_begin_);
  if (static_cast<double>(now - step_begin_) < joinable) {
    admit(now);
    plan_step();
  }
  return true;
}

void EngineModel::cancel(Micros now, RequestId id) {
  advance(now);
  const auto is_it = [id](const Sequence& sequence) { return sequence.id == id; };
  std::erase_if(waiting_, is_it);
  const auto found = std::find_if(running_.begin(), running_.end(), is_it);
  if (found != running_.end()) {
    kv_used_ -= found->context();
    running_.erase(found);
  }
  std::erase_if(events_, [id](const EngineEvent& event) { return event.id == id; });
}

void EngineModel::advance(Micros now) {
  while (stepping_ && step_end_ <= now) {
    finish_step();
    begin_step(step_end_);
  }
}

std::optional<Micros> EngineModel::next_event() const {
  return stepping_ ? std::optional<Micros>(step_end_) : std::nullopt;
}

std::vector<EngineEvent> EngineModel::take_events() { return std::exchange(events_, {}); }

void EngineModel::take_events(std::vector<EngineEvent>& into) {
  into.clear();
  into.swap(events_);
}

double EngineModel::kv_usage() const {
  return static_cast<double>(kv_used_) / static_cast<double>(cost_.kv_tokens);
}

void EngineModel::begin_step(Micros at) {
  step_begin_ = at;
  // As in vLLM, nothing is admitted in a step that had to preempt.
  if (!make_room(at)) admit(at);
  stepping_ = !running_.empty();
  if (stepping_) plan_step();
}

void EngineModel::plan_step() {
  std::int64_t budget = cost_.chunk_tokens;
  StepWork work;
  for (Sequence& sequence : running_) {
    if (sequence.decoding) {
      ++work.decoding;
      work.kv_tokens += sequence.context();
      continue;
    }
    sequence.chunk = std::min(budget, sequence.context() - sequence.filled);
    budget -= sequence.chunk;
    work.prefill_tokens += sequence.chunk;
    if (sequence.chunk > 0) ++work.prefilling;
  }
  step_end_ = step_begin_ + step_time(cost_, work, slowdown_);
}

bool EngineModel::make_room(Micros at) {
  bool preempted = false;
  while (running_.size() > 1 &&
         kv_used_ + static_cast<std::int64_t>(running_.size()) > cost_.kv_tokens) {
    Sequence youngest = running_.back();
    running_.pop_back();
    kv_used_ -= youngest.context();
    youngest.filled = youngest.chunk = 0;
    youngest.decoding = false;
    ++preemptions_;
    note(EngineEvent::Kind::preempted, youngest, at);
    waiting_.push_front(youngest);
    preempted = true;
  }
  return preempted;
}

void EngineModel::admit(Micros at) {
  std::int64_t room = room_in_chunk();
  while (!waiting_.empty() && running() < cost_.max_num_seqs && room > 0) {
    const Sequence& next = waiting_.front();
    const std::int64_t growth = running() + 1;  // one token for each in this step
    if (kv_used_ + growth + next.context() > cost_.kv_tokens && !running_.empty()) return;
    kv_used_ += next.context();
    note(EngineEvent::Kind::admitted, next, at);
    if (cost_.admits_by_chunk) room -= next.context();
    running_.push_back(next);
    waiting_.pop_front();
  }
}

std::int64_t EngineModel::room_in_chunk() const {
  std::int64_t room = cost_.chunk_tokens;
  if (!cost_.admits_by_chunk) return room;
  for (const Sequence& sequence : running_) {
    if (!sequence.decoding) room -= sequence.context() - sequence.filled;
  }
  return room;
}

bool EngineModel::yields_token(Sequence& sequence) {
  sequence.filled += sequence.chunk;
  sequence.chunk = 0;
  if (!sequence.decoding) sequence.decoding = sequence.filled >= sequence.context();
  return sequence.decoding;
}

void EngineModel::finish_step() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = running_[i];
    if (yields_token(sequence)) {
      const bool first = sequence.generated == 0;
      note(first ? EngineEvent::Kind::first_token : EngineEvent::Kind::token, sequence, step_end_);
      ++sequence.generated;
      ++kv_used_;
    }
    if (sequence.generated == sequence.output) {
      note(EngineEvent::Kind::finished, sequence, step_end_);
      kv_used_ -= sequence.context();
    } else {
      if (kept != i) running_[kept] = sequence;
      ++kept;
    }
  }
  running_.resize(kept, Sequence{});
}

void EngineModel::note(EngineEvent::Kind kind, const Sequence& sequence, Micros at) {
  events_.push_back(
      EngineEvent{.kind = kind, .id = sequence.id, .index = sequence.generated, .at = at});
}

}  // namespace sluice::testbed
