#include "firmware/tunnel/path_health.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::tunnel {

namespace {

constexpr double kSureness = 1.645;  // standard deviations, one-sided 95 %
constexpr Duration kLeastInterval = Duration::ms(1);

}  // namespace

const char* to_text(DeathCause cause) {
  switch (cause) {
    case DeathCause::unanswered:
      return "unanswered";
    case DeathCause::carrier_lost:
      return "carrier_lost";
    case DeathCause::uplink_gone:
      return "uplink_gone";
    case DeathCause::data_plane_lost:
      return "data_plane_lost";
  }
  return "?";
}

std::optional<DeathCause> parse_death_cause(std::string_view text) {
  for (const DeathCause cause : {DeathCause::unanswered, DeathCause::carrier_lost,
                                 DeathCause::uplink_gone, DeathCause::data_plane_lost}) {
    if (text == to_text(cause)) return cause;
  }
  return std::nullopt;
}

bool PathHealth::alive() const {
  return state_ == PathState::good || state_ == PathState::degraded || state_ == PathState::suspect;
}

std::optional<DeathCause> PathHealth::died_of() const {
  if (state_ != PathState::dead) return std::nullopt;
  return cause_;
}

bool PathHealth::take_changed() { return std::exchange(changed_, false); }

void PathHealth::move_to(PathState state, Instant now) {
  ENSURE(state != PathState::suspect || alive());
  if (state == state_) return;
  state_ = state;
  since_ = now;
  changed_ = true;
}

void PathHealth::bring_up(Instant now) {
  interactive_ = ProbeTrack();
  bulk_ = ProbeTrack();
  proof_.reset();
  lost_ = false;
  below_ = false;
  burst_left_ = 0;
  answers_ = 0;
  trouble_.clear();
  asked_since_ = next_ask_ = next_bulk_ = rated_since_ = now;
  move_to(PathState::starting, now);
}

void PathHealth::take_down(Instant now, std::string trouble) {
  changed_ |= trouble != trouble_;
  trouble_ = std::move(trouble);
  move_to(PathState::down, now);
}

void PathHealth::lose(Instant now, DeathCause cause) {
  if (state_ == PathState::down) return;
  lost_ = true;
  die(now, cause);
}

void PathHealth::regain(Instant now) {
  if (!lost_) return;
  lost_ = false;
  asked_since_ = next_ask_ = next_bulk_ = now;
}

void PathHealth::move_endpoint(Instant now) {
  if (state_ == PathState::down || lost_) return;
  interactive_.forget_rtt();
  bulk_.forget_rtt();
  asked_since_ = next_ask_ = now;
  if (state_ == PathState::suspect) burst_left_ = settings_.burst;
}

bool PathHealth::set_carrying(Instant now, bool carrying) {
  if (carrying == carrying_) return false;
  carrying_ = carrying;
  next_ask_ = std::min(next_ask_, now + interval(now));
  return true;
}

Duration PathHealth::interval(Instant now) const {
  const bool never_mind = metered_ && !carrying_;
  const Duration usual = never_mind ? settings_.metered_interval : settings_.interval;
  const bool settled = !alive() && answers_ == 0 && now - asked_since_ > settings_.dead_settles;
  return std::max(settled ? std::max(usual, settings_.dead_interval) : usual, kLeastInterval);
}

Duration PathHealth::size_wait(Instant now) const {
  return interval(now) + interactive_.timeout(settings_);
}

PathHealth::Next PathHealth::next(Instant now) {
  Next next;
  if (state_ == PathState::down || lost_) return next;
  const ProbeTrack::Missed missed = interactive_.expire(now);
  bulk_.expire(now);
  judge_ |= missed.questions > 0;
  if (missed.questions > 0 && state_ == PathState::dead) answers_ = 0;
  if (missed.unproven && alive() && state_ != PathState::suspect) suspect(now);
  if (state_ == PathState::suspect && burst_left_ == 0 && !interactive_.waits_for(burst_last_)) {
    die(now, DeathCause::unanswered);
  }
  if (judge_ && alive()) rate(now);
  next.ask = next_ask_ <= now;
  next.ask_bulk = next_bulk_ <= now && alive() && (!metered_ || carrying_);
  next.wake = next_ask_;
  if (alive() && (!metered_ || carrying_)) next.wake = std::min(*next.wake, next_bulk_);
  if (const auto overdue = interactive_.next_overdue()) {
    next.wake = std::min(*next.wake, *overdue);
  }
  return next;
}

void PathHealth::suspect(Instant now) {
  move_to(PathState::suspect, now);
  burst_left_ = settings_.burst;
  next_ask_ = now;
}

uint64_t PathHealth::ask(Instant now) {
  const Duration wait = interactive_.timeout(settings_);
  if (state_ != PathState::suspect || burst_left_ == 0) {
    next_ask_ = now + interval(now);
    return interactive_.ask(now, Question::regular, wait, settings_);
  }
  --burst_left_;
  next_ask_ = now + (burst_left_ > 0 ? settings_.burst_gap : interval(now));
  burst_last_ = interactive_.ask(now, Question::burst, wait, settings_);
  return burst_last_;
}

uint64_t PathHealth::ask_bulk(Instant now) {
  next_bulk_ = now + settings_.bulk_interval;
  return bulk_.ask(now, Question::regular, bulk_.timeout(settings_), settings_);
}

uint64_t PathHealth::ask_size(Instant now, Duration wait) {
  return interactive_.ask(now, Question::size, wait, settings_);
}

void PathHealth::ask_soon(Instant now) {
  if (state_ != PathState::suspect) next_ask_ = std::min(next_ask_, now);
}

std::optional<ProbeTrack::Answer> PathHealth::answer(Instant received, TrafficClass traffic,
                                                     uint64_t sequence, uint32_t seen) {
  if (state_ == PathState::down) return std::nullopt;
  if (traffic == TrafficClass::bulk) return bulk_.answer(received, sequence, seen);
  const auto answer = interactive_.answer(received, sequence, seen);
  if (!answer || lost_) return answer;
  proof_ = proof_ ? std::max(*proof_, received) : received;
  judge_ = true;
  if (state_ == PathState::starting) {
    revive(received);
  } else if (state_ == PathState::suspect) {
    burst_left_ = 0;
    next_ask_ = received + interval(received);
    move_to(below_ ? PathState::degraded : PathState::good, received);
  } else if (state_ == PathState::dead && ++answers_ >= settings_.recover_answers) {
    revive(received);
  } else if (state_ == PathState::dead) {
    next_ask_ = std::min(next_ask_, received + interval(received));
  }
  return answer;
}

void PathHealth::die(Instant now, DeathCause cause) {
  if (alive()) damping_.fail(now, settings_);
  cause_ = cause;
  answers_ = 0;
  burst_left_ = 0;
  asked_since_ = now;
  next_ask_ = std::min(next_ask_, now + interval(now));
  move_to(PathState::dead, now);
}

void PathHealth::revive(Instant now) {
  if (state_ == PathState::dead) {
    damping_.come_back(now, settings_);
    interactive_.forget_loss();
    bulk_.forget_loss();
  }
  answers_ = 0;
  below_ = false;
  rated_since_ = now;
  move_to(PathState::good, now);
}

bool PathHealth::falls(const PathQuality& quality) const {
  const double n = quality.probes;
  const double least = settings_.loss_enter;
  const double sure = least + kSureness * std::sqrt(least * (1 - least) / std::max(n, 1.0));
  return (quality.probes >= settings_.window_probes_min && loss_of(quality) >= sure) ||
         quality.rtt >= settings_.rtt_enter || quality.jitter >= settings_.jitter_enter;
}

bool PathHealth::recovers(const PathQuality& quality) const {
  return quality.probes >= settings_.window_probes_min &&
         loss_of(quality) <= settings_.loss_leave && quality.rtt <= settings_.rtt_leave &&
         quality.jitter <= settings_.jitter_leave;
}

void PathHealth::rate(Instant now) {
  judge_ = false;
  const PathQuality quality = interactive_.quality(now, settings_);
  if (below_ ? !recovers(quality) : !falls(quality)) return;
  below_ = !below_;
  rated_since_ = now;
  changed_ = true;
  if (state_ != PathState::suspect) {
    move_to(below_ ? PathState::degraded : PathState::good, now);
  }
}

void PathHealth::fill(PathView& view, Instant now) const {
  view.state = state_;
  view.since = since_;
  view.proof = proof_;
  view.quality = interactive_.quality(now, settings_);
  view.bulk = bulk_.quality(now, settings_);
  view.metered = metered_;
  view.hold_until = damping_.hold_until();
  view.trouble = trouble_;
  view.below = below_;
  view.rated_since = rated_since_;
}

}  // namespace sluice::tunnel
