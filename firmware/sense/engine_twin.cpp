#include "firmware/sense/engine_twin.h"

#include <algorithm>
#include <cmath>

namespace sluice::sense {

namespace {

// What comes within this share of the usual step after its beginning belongs to it.
constexpr double kSameStep = 0.1;
// A first token that comes before this share of the expected step belongs to the one before.
constexpr double kFirstOfStep = 0.5;
// While streams show the steps, one that is late is waited for this many times its length.
constexpr double kLateMax = 1.6;
// How much one step moves the usual length.
constexpr double kUsualPart = 0.1;
// No reckoning goes further than this many steps at a time: after that nothing is known anyway.
constexpr int kReckonedMax = 4096;

}  // namespace

double EngineTwin::step_us(const valve::StepModel& model) const {
  return model.decode_us(decoding_, kv_) +
         model.prefill_us_per_token * static_cast<double>(in_step_);
}

void EngineTwin::plan_step(const valve::StepModel& model, Instant begin) {
  begin_ = begin;
  int64_t room = model.chunk_tokens;
  in_step_ = 0;
  for (Prompt& prompt : prompts_) {
    prompt.in_step = std::min(room, prompt.left);
    room -= prompt.in_step;
    in_step_ += prompt.in_step;
  }
}

void EngineTwin::finish_step() {
  for (Prompt& prompt : prompts_) {
    prompt.left -= prompt.in_step;
    prompt.in_step = 0;
  }
}

// The step under way, or the idle time after the last, should be over.
bool EngineTwin::is_behind(const valve::StepModel& model, Instant now) const {
  if (!model.is_known() || !stepping()) return false;
  if (in_step_ == 0) return decoding_ == 0;
  const double patience = decoding_ > 0 ? kLateMax : 1.0;
  return static_cast<double>((now - begin_).as_us()) >= step_us(model) * patience;
}

// Steps whose end no token showed.
void EngineTwin::catch_up(const valve::StepModel& model, Instant now) {
  for (int i = 0; i < kReckonedMax && in_step_ > 0 && is_behind(model, now); ++i) {
    const Duration length = Duration::us(static_cast<int64_t>(step_us(model)));
    finish_step();
    plan_step(model, begin_ + length);
    visible_ = false;
  }
  if (in_step_ == 0 && is_behind(model, now)) begin_ = now;
}

void EngineTwin::sent(uint64_t id, Tokens whole, Tokens uncached, Instant due,
                      const valve::StepModel& model, Instant now) {
  if (decoding_ == 0) catch_up(model, now);
  const bool was_idle = !stepping();
  if (prompts_.size() >= kPromptsMax) prompts_.pop_front();
  prompts_.push_back({id, whole.count, std::max<int64_t>(1, uncached.count), 0, due});
  if (was_idle || (decoding_ == 0 && in_step_ == 0)) {
    plan_step(model, now);
    visible_ = false;
  }
}

bool EngineTwin::note_end(const valve::StepModel& model, Instant now, StepSeen& seen) {
  const double passed = static_cast<double>((now - begin_).as_us());
  seen.length = std::max(Duration::us(1), now - begin_);
  seen.decoding = decoding_;
  seen.kv = kv_;
  seen.waiting = !prompts_.empty();
  const bool told = visible_ && decoding_ > 0;
  if (told) seen_us_ += (passed - seen_us_) * (seen_us_ > 0 ? kUsualPart : 1.0);
  finish_step();
  plan_step(model, now);
  visible_ = true;
  return told;
}

bool EngineTwin::token(int count, Instant last, const valve::StepModel& model, Instant now,
                       StepSeen& seen) {
  const double passed = static_cast<double>((now - begin_).as_us());
  // A stream that has had its token of this step gets one of the next.
  const bool next = last >= begin_ && passed > kSameStep * seen_us_;
  const bool ended = next && note_end(model, now, seen);
  kv_ += count;
  return ended;
}

bool EngineTwin::began(uint64_t id, const valve::StepModel& model, Instant now, StepSeen& seen) {
  if (decoding_ == 0) catch_up(model, now);
  const double passed = static_cast<double>((now - begin_).as_us());
  const double expected = model.is_known() ? step_us(model) : seen_us_;
  const bool next = decoding_ == 0 || passed > kFirstOfStep * expected;
  const bool ended = next && note_end(model, now, seen);
  const auto found = std::find_if(prompts_.begin(), prompts_.end(),
                                  [id](const Prompt& prompt) { return prompt.id == id; });
  if (found == prompts_.end()) return ended;
  kv_ += static_cast<double>(found->whole);
  in_step_ -= found->in_step;
  prompts_.erase(found);
  ++decoding_;
  plan_step(model, begin_);  // its rest, if any was believed, is room for the next
  return ended;
}

void EngineTwin::ended(uint64_t id, bool had_begun, Tokens context, Instant now) {
  if (had_begun) {
    decoding_ = std::max(0, decoding_ - 1);
    kv_ = decoding_ == 0 ? 0 : std::max(0.0, kv_ - static_cast<double>(context.count));
  } else {
    const auto found = std::find_if(prompts_.begin(), prompts_.end(),
                                    [id](const Prompt& prompt) { return prompt.id == id; });
    if (found != prompts_.end()) {
      in_step_ -= found->in_step;
      prompts_.erase(found);
    }
  }
  if (!stepping()) begin_ = now;
}

Instant EngineTwin::expected_first(uint64_t id, const valve::StepModel& model, Instant now) const {
  EngineTwin later = *this;
  later.catch_up(model, now);
  int64_t ahead = 0;
  int64_t in_prefill = 0;
  for (const Prompt& prompt : later.prompts_) {
    ahead += prompt.left - prompt.in_step;
    in_prefill += prompt.whole;
    if (prompt.id == id) break;
  }
  const double left = later.step_us(model) - static_cast<double>((now - later.begin_).as_us());
  const double chunk = static_cast<double>(std::max<int64_t>(1, model.chunk_tokens));
  const double steps = std::ceil(static_cast<double>(ahead) / chunk);
  const double each = model.decode_us(later.decoding_, later.kv_ + static_cast<double>(in_prefill));
  const double us =
      std::max(0.0, left) + steps * each + model.prefill_us_per_token * static_cast<double>(ahead);
  return now + Duration::us(static_cast<int64_t>(us));
}

valve::EngineMoment EngineTwin::moment(const valve::StepModel& model, Instant now) const {
  if (!is_behind(model, now)) return moment_as_planned(model, now);
  EngineTwin later = *this;
  later.catch_up(model, now);
  return later.moment_as_planned(model, now);
}

valve::EngineMoment EngineTwin::moment_as_planned(const valve::StepModel& model,
                                                  Instant now) const {
  valve::EngineMoment moment;
  moment.spare = valve::EngineMoment::kNobody;
  moment.decoding = decoding_;
  moment.kv.count = static_cast<int64_t>(kv_);
  if (!model.is_known()) {
    for (const Prompt& prompt : prompts_) moment.prefill_left.count += prompt.left;
    moment.prompts_left = static_cast<int>(prompts_.size());
    return moment;
  }
  if (!stepping()) return moment;
  const double left = step_us(model) - static_cast<double>((now - begin_).as_us());
  moment.step_left = Duration::us(static_cast<int64_t>(std::max(0.0, left)));
  for (const Prompt& prompt : prompts_) {
    moment.kv.count += prompt.whole;
    const int64_t rest = prompt.left - prompt.in_step;
    if (rest <= 0) {
      ++moment.decoding;
      continue;
    }
    moment.prefill_left.count += rest;
    ++moment.prompts_left;
  }
  const double full =
      model.full_us(moment.decoding + moment.prompts_left, static_cast<double>(moment.kv.count));
  const double chunk = static_cast<double>(model.chunk_tokens);
  int64_t ahead = 0;
  for (const Prompt& prompt : prompts_) {
    const int64_t rest = prompt.left - prompt.in_step;
    if (rest <= 0) continue;
    ahead += rest;
    const double us = std::max(0.0, left) + full * std::ceil(static_cast<double>(ahead) / chunk);
    moment.spare =
        std::min(moment.spare, prompt.due - now - Duration::us(static_cast<int64_t>(us)));
  }
  return moment;
}

}  // namespace sluice::sense
