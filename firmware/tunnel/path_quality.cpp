#include "firmware/tunnel/path_quality.h"

#include <algorithm>

namespace sluice::tunnel {

namespace {

// Counts the regular questions of the window and what became of them. Questions come in the order
// in which they were asked.
class LossCount {
 public:
  void answered(uint32_t seen, bool counts) {
    settle(seen);
    if (counts) ++probes_;
    last_seen_ = seen;
    anchored_ = true;
  }
  void unanswered(bool missed, bool counts) {
    ++gap_;
    if (missed && counts) ++gap_counted_;
  }
  void write(PathQuality& quality) {
    settle_unknown();
    quality.probes = probes_;
    if (probes_ == 0) return;
    quality.loss_out = out_ / probes_;
    const double arrived = probes_ - out_;
    quality.loss_back = arrived > 0 ? std::min(back_ / arrived, 1.0) : 0;
  }

 private:
  // What lies between the last answer and one that tells `seen`.
  void settle(uint32_t seen) {
    if (!anchored_) return settle_unknown();
    const auto arrived = static_cast<int32_t>(seen - last_seen_ - 1);
    share(gap_ == 0 ? 0 : std::clamp(static_cast<double>(arrived) / gap_, 0.0, 1.0));
  }
  void settle_unknown() { share(0.5); }
  void share(double arrived) {
    probes_ += gap_counted_;
    out_ += gap_counted_ * (1 - arrived);
    back_ += gap_counted_ * arrived;
    gap_ = 0;
    gap_counted_ = 0;
  }

  bool anchored_ = false;
  uint32_t last_seen_ = 0;
  int gap_ = 0;          // questions without an answer since the last one with one
  int gap_counted_ = 0;  // those of them that count
  int probes_ = 0;
  double out_ = 0;
  double back_ = 0;
};

}  // namespace

double loss_of(const PathQuality& quality) {
  return 1 - (1 - quality.loss_out) * (1 - quality.loss_back);
}

uint64_t ProbeTrack::ask(Instant now, Question question, Duration wait,
                         const PathSettings& settings) {
  const Instant useful = now - std::max(kKeptTime, settings.window);
  while (!kept_.empty() && (kept_.size() >= kKeptMax || kept_.front().sent < useful)) {
    kept_.pop_front();
  }
  Asked asked;
  asked.sent = now;
  asked.overdue = now + wait;
  asked.question = question;
  kept_.push_back(asked);
  return next_++;
}

const ProbeTrack::Asked* ProbeTrack::find(uint64_t sequence) const {
  if (sequence < first() || sequence >= next_) return nullptr;
  return &kept_[sequence - first()];
}

std::optional<ProbeTrack::Answer> ProbeTrack::answer(Instant received, uint64_t sequence,
                                                     uint32_t seen) {
  if (sequence < first() || sequence >= next_) return std::nullopt;
  Asked& asked = kept_[sequence - first()];
  if (asked.fate == Fate::answered) return std::nullopt;
  Answer answer;
  answer.rtt = std::max(received - asked.sent, Duration::us(1));
  answer.question = asked.question;
  answer.asked = asked.sent;
  answer.late = asked.fate == Fate::missed;
  asked.fate = Fate::answered;
  take_fate(sequence, asked, answer.late);
  asked.seen = seen;
  asked.rtt = answer.rtt;
  last_answered_ = std::max(last_answered_, sequence);
  if (asked.question != Question::size) take_rtt(answer.rtt);
  return answer;
}

void ProbeTrack::take_fate(uint64_t sequence, const Asked& asked, bool late) {
  if (asked.question != Question::regular || sequence < counted_from_) return;
  if (late) {
    long_lost_ = std::max(long_lost_ - 1, 0.0);
    return;
  }
  constexpr double kKeeps = 1 - 1 / kLongProbes;
  long_asked_ = long_asked_ * kKeeps + 1;
  long_lost_ = long_lost_ * kKeeps + (asked.fate == Fate::missed ? 1 : 0);
}

void ProbeTrack::forget_loss() {
  counted_from_ = next_;
  long_lost_ = long_asked_ = 0;
}

void ProbeTrack::take_rtt(Duration rtt) {
  const Duration zero;
  if (!rtt_known_) {
    rtt_known_ = true;
    srtt_ = rtt;
    rttvar_ = rtt / 2;
    jitter_ = zero;
  } else {
    const Duration error = rtt > srtt_ ? rtt - srtt_ : srtt_ - rtt;
    rttvar_ = rttvar_ + (error - rttvar_) / 4;
    srtt_ = srtt_ + (rtt - srtt_) / 8;
    const Duration step = rtt > last_rtt_ ? rtt - last_rtt_ : last_rtt_ - rtt;
    jitter_ = jitter_ + (step - jitter_) / 16;
  }
  last_rtt_ = rtt;
}

ProbeTrack::Missed ProbeTrack::expire(Instant now) {
  Missed missed;
  oldest_waiting_ = std::max(oldest_waiting_, first());
  bool older_wait = false;
  for (uint64_t sequence = oldest_waiting_; sequence < next_; ++sequence) {
    Asked& asked = kept_[sequence - first()];
    if (asked.fate == Fate::waiting && asked.overdue <= now) {
      asked.fate = Fate::missed;
      take_fate(sequence, asked, false);
      if (asked.question != Question::size) {
        ++missed.questions;
        missed.unproven |= sequence > last_answered_;
      }
    }
    older_wait |= asked.fate == Fate::waiting;
    if (!older_wait) oldest_waiting_ = sequence + 1;
  }
  return missed;
}

bool ProbeTrack::waits_for(uint64_t sequence) const {
  const Asked* asked = find(sequence);
  return asked != nullptr && asked->fate == Fate::waiting;
}

std::optional<Instant> ProbeTrack::next_overdue() const {
  std::optional<Instant> next;
  for (uint64_t sequence = std::max(oldest_waiting_, first()); sequence < next_; ++sequence) {
    const Asked& asked = kept_[sequence - first()];
    if (asked.fate == Fate::waiting && (!next || asked.overdue < *next)) next = asked.overdue;
  }
  return next;
}

Duration ProbeTrack::timeout(const PathSettings& settings) const {
  if (!rtt_known_) return settings.timeout_first;
  return std::min(srtt_ + std::max(rttvar_ * 4, settings.timeout_slack), settings.timeout_max);
}

PathQuality ProbeTrack::quality(Instant now, const PathSettings& settings) const {
  PathQuality quality;
  const Instant begin = now - settings.window;
  LossCount count;
  uint64_t sequence = first();
  for (const Asked& asked : kept_) {
    const bool inside = sequence++ >= counted_from_ && asked.sent >= begin;
    const bool counts = inside && asked.question == Question::regular;
    if (asked.fate == Fate::answered) {
      count.answered(asked.seen, counts);
      if (inside && (quality.rtt_min.is_zero() || asked.rtt < quality.rtt_min)) {
        quality.rtt_min = asked.rtt;
      }
    } else {
      count.unanswered(asked.fate == Fate::missed, counts);
    }
  }
  count.write(quality);
  if (long_asked_ > 0) quality.loss_long = long_lost_ / long_asked_;
  quality.probes_long = static_cast<int>(long_asked_);
  if (rtt_known_) {
    quality.rtt = srtt_;
    quality.jitter = jitter_;
  }
  return quality;
}

int ProbeTrack::unanswered() const {
  int count = 0;
  for (uint64_t sequence = std::max(last_answered_ + 1, first()); sequence < next_; ++sequence) {
    if (kept_[sequence - first()].question != Question::size) ++count;
  }
  return count;
}

}  // namespace sluice::tunnel
