#include "firmware/sense/breaker.h"

#include <algorithm>

namespace sluice::sense {

using valve::Health;

namespace {

constexpr double kFirstShare = 0.1;  // what a node gets right after it came back

}  // namespace

void Breaker::come_back(Instant now) {
  state_ = State::slow;
  slow_since_ = now;
  failures_in_row_ = 0;
}

void Breaker::succeed(Instant now) {
  if (state_ == State::open && now < open_until_)
    return;  // the end of something sent before it broke
  if (state_ == State::open) come_back(now);
  failures_in_row_ = 0;
  proven_ = true;
  if (state_ == State::unknown) state_ = State::closed;
  if (state_ == State::slow && now - slow_since_ >= times_.slow_start) state_ = State::closed;
  if (state_ == State::closed && now >= wait_until_) why_.clear();
}

void Breaker::answer_probe(Instant now) {
  if (state_ == State::unknown) {
    state_ = State::closed;
    why_.clear();
  }
  if (state_ == State::open && now >= open_until_) come_back(now);
}

void Breaker::fail(Instant now, std::string why) {
  why_ = std::move(why);
  ++failures_in_row_;
  if (state_ == State::open && now < open_until_) return;
  const bool on_trial = state_ == State::open || (state_ == State::slow && !proven_);
  if (!on_trial && failures_in_row_ < times_.failures) return;
  open_time_ = on_trial ? std::min(open_time_ * 2, kOpenMax) : times_.open;
  open_time_ = std::max(open_time_, times_.open);
  open_until_ = now + open_time_;
  state_ = State::open;
  proven_ = false;
}

void Breaker::ask_to_wait(Instant now, Duration wait, std::string why) {
  wait_until_ = std::max(wait_until_, now + std::min(wait, kAskedToWaitMax));
  why_ = std::move(why);
}

Health Breaker::health(Instant now) const {
  if (now < wait_until_) return Health::down;
  switch (state_) {
    case State::unknown:
      return Health::unknown;
    case State::closed:
      return Health::up;
    case State::open:
      return now < open_until_ ? Health::down : Health::probing;
    case State::slow:
      return now - slow_since_ < times_.slow_start ? Health::slow_start : Health::up;
  }
  return Health::unknown;
}

double Breaker::share(Instant now) const {
  if (state_ != State::slow || times_.slow_start.is_zero()) return 1.0;
  return std::clamp((now - slow_since_) / times_.slow_start, kFirstShare, 1.0);
}

}  // namespace sluice::sense
