#include "firmware/proxy/hedged_attempt.h"

#include <utility>

#include "firmware/base/check.h"

namespace sluice::proxy {

HedgedAttempt::HedgedAttempt(ProxyWorld& world, const AttemptOrder& order,
                             const valve::Candidate& candidate, int number, AttemptSink& sink)
    : world_(world), sink_(sink), first_(world, order, candidate, number, first_lane_) {}

void HedgedAttempt::move_to(State next) {
  ENSURE(state_ != State::ended);
  ENSURE(state_ != State::won || next == State::ended);
  state_ = next;
}

void HedgedAttempt::start(bool fresh_connection, Duration late, HedgeSource& source) {
  if (!late.is_zero()) {
    source_ = &source;
    late_ = world_.timers.make([this] { on_late(); });
    late_->start(late);
  }
  first_.start(fresh_connection);
}

void HedgedAttempt::on_late() {
  if (state_ != State::alone) return;
  std::optional<HedgeCopy> copy = source_->copy_of_late();
  if (!copy) return;
  move_to(State::racing);
  second_ = std::make_unique<AttemptRun>(world_, copy->order, copy->candidate, copy->number,
                                         second_lane_);
  second_->start(false);
}

void HedgedAttempt::win(const Lane& lane) {
  if (late_) late_->stop();
  shown_ = &run_of(lane);
  if (state_ != State::racing) return;
  other_than(lane).cancel(meter::Outcome::outrun);
  if (shown_ == second_.get()) world_.extras.on_hedge_won();
}

void HedgedAttempt::on_body(const Lane& lane, std::string_view bytes) {
  if (state_ == State::ended) return;
  if (state_ != State::won) {
    win(lane);
    move_to(State::won);
  }
  sink_.on_attempt_body(bytes);
}

void HedgedAttempt::on_end(const Lane& lane, AttemptVerdict verdict) {
  if (state_ == State::ended) return;
  if (state_ == State::racing && !verdict.served && verdict.retryable) {
    shown_ = &other_than(lane);
    return move_to(State::alone);  // what it would have been without this copy
  }
  if (state_ != State::won) win(lane);  // what it said holds for every node
  move_to(State::ended);
  sink_.on_attempt_end(std::move(verdict));
}

void HedgedAttempt::cancel() {
  if (state_ == State::ended) return;
  move_to(State::ended);
  if (late_) late_->stop();
  first_.cancel(meter::Outcome::client_gone);
  if (second_) second_->cancel(meter::Outcome::client_gone);
}

void HedgedAttempt::supersede() {
  ENSURE(state_ == State::alone);
  move_to(State::ended);
  if (late_) late_->stop();
  shown_->supersede();
}

Tokens HedgedAttempt::tokens_used() const {
  return second_ ? first_.tokens_used() + second_->tokens_used() : first_.tokens_used();
}

}  // namespace sluice::proxy
