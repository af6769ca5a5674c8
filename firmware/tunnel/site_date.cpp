// The date of this machine against what PoPs tell of theirs, and which paths it holds back: a
// handshake that is dated ahead cannot be taken back. A path that is up is never held back: its
// session is worth more than what the date may cost later, which the PoP can mend (readd).
#include <algorithm>
#include <utility>

#include "firmware/tunnel/site_line.h"

namespace sluice::tunnel {

namespace {

constexpr Duration kStepSeen = Duration::seconds(2);
// For the answer of a PoP, after the start and after somebody set the date: an answer that comes at
// all is here by then (kWhereGiveUp).
constexpr Duration kDateAwaited = Duration::ms(1500);
constexpr Duration kHandshakeTime = Duration::seconds(5);  // until WireGuard tries again

}  // namespace

void SiteTunnels::on_date_told() {
  if (!running_) return;
  judge_date();
  soon();
}

// By something else than us since the last time. Elapsed time says how far the date should be.
bool SiteTunnels::was_date_set(Date date, Instant now) {
  const std::optional<std::pair<Date, Instant>> before = std::exchange(dated_, {{date, now}});
  if (!before) return false;
  const Duration drift = (date - before->first) - (now - before->second);
  return drift > kStepSeen || Duration() - drift > kStepSeen;
}

void SiteTunnels::judge_date() {
  const Date date = ports_.calendar.now();
  const Instant now = ports_.clock.now();
  const bool set = was_date_set(date, now);
  date_set_ = date_set_ || set;
  const Membership* member = settings_.on ? membership() : nullptr;
  if (member == nullptr) {
    clock_ = {};
    date_awaited_until_.reset();
    return;
  }
  if (set) expect_date_anew();
  if (set || !date_awaited_until_) date_awaited_until_ = now + kDateAwaited;
  const ClockEvidence evidence = date_evidence(date);
  const ClockTrust before = std::exchange(clock_, judge_clock(evidence)).trust;
  const bool said = clock_.trust == before;
  if (!said && !clock_.words.empty()) ports_.log.warning("tunnel", "{}", clock_.words.en);
  if (clock_.drop_floor && evidence.pop_date) {
    (void)floor_.replace(*evidence.pop_date).has_value();  // in memory it is replaced all the same
  }
  set_date(now, said);
  if (!clock_.handshakes || !evidence.pop_date) return;
  const bool handshake = std::any_of(lines_.begin(), lines_.end(), [](const auto& line) {
    return line.second->begun.has_value();
  });
  const Date certain = std::min(date, *evidence.pop_date);
  if (Result<void> noted = floor_.note(certain, handshake); !noted && !said) {
    ports_.log.warning("tunnel", "{}", noted.error().text);
  }
}

// What was told before does not count; PoPs tell it anew where they are asked, and where a shim
// says hello.
void SiteTunnels::expect_date_anew() {
  watch_.date_was_set();
  for (const auto& [number, line] : lines_) {
    if (line->shim && !lives(*line)) line->shim->redial();
  }
}

ClockEvidence SiteTunnels::date_evidence(Date date) {
  for (const auto& [number, line] : lines_) {
    const std::string& pop = line->line.name().pop;
    if (const auto& told = line->line.prober().told()) {
      watch_.note_date(pop_date(pop, told->date, told->received, told->rtt));
    }
    if (!line->shim || !line->shim->told()) continue;
    const Shim::Told& hello = *line->shim->told();
    watch_.note_date(pop_date(pop, hello.date, hello.received, hello.round_trip));
  }
  ClockEvidence evidence;
  evidence.now = date;
  evidence.floor = floor_.floor();
  evidence.may_come = membership()->can_probe();
  evidence.awaited = ports_.clock.now() < *date_awaited_until_;
  evidence.was_set = date_set_;
  const std::optional<PopDate> told = watch_.date();
  if (told && evidence.may_come) {
    evidence.pop_date = told->date;
    evidence.pop_error = told->uncertainty;
  }
  return evidence;
}

// To a PoP's date whenever it is wrong. To the floor once, since it is only a date that has been.
void SiteTunnels::set_date(Instant now, bool said) {
  if (!clock_.step_to || !settings_.step_clock) return;
  if (clock_.trust == ClockTrust::behind_floor && std::exchange(floor_tried_, true)) return;
  if (Result<void> set = ports_.date.set(*clock_.step_to); !set) {
    if (!said) ports_.log.error("tunnel", "{}", set.error().text);
    return;
  }
  ports_.log.warning("tunnel", "the system's date was set right");
  dated_ = {*clock_.step_to, now};
}

// WireGuard dates handshakes; how long ago one was is counted from when it was first seen, since
// dates are set now and then.
void SiteTunnels::note_handshake(Line& line) const {
  const auto& peer = line.line.peer();
  const std::optional<Date> last = peer ? peer->last_handshake : std::nullopt;
  if (line.handshake == last) return;
  if (last) line.begun = last;
  const Duration age = last ? ports_.calendar.now() - *last : Duration();
  const bool first = !line.handshake;  // of an earlier run, perhaps
  line.handshake = last;
  line.handshake_at = ports_.clock.now() - (first ? std::max(age, Duration()) : Duration());
}

std::optional<Duration> SiteTunnels::handshake_age(const Line& line) const {
  if (!line.handshake) return std::nullopt;
  return ports_.clock.now() - line.handshake_at;
}

bool SiteTunnels::lives(const Line& line) const {
  const PathHealth& health = line.line.prober().health();
  if (health.alive()) return true;
  // Taken over from an earlier run, and not asked yet.
  const std::optional<Duration> age = handshake_age(line);
  return health.state() != PathState::dead && age && *age < kHandshakeFresh;
}

bool SiteTunnels::may_handshake(const Line& line) const { return clock_.handshakes || lives(line); }

// A moment after the start, or after the date held it back: its handshake cannot be answered yet.
bool SiteTunnels::is_beginning(const Line& line) const {
  if (!may_handshake(line)) return clock_.trust == ClockTrust::unproven;
  return line.held_at && ports_.clock.now() < *line.held_at + kHandshakeTime;
}

// The PoP remembers a later date of it than comes now, so it stays dead.
bool SiteTunnels::is_dated_ahead(const Line& line) const {
  const std::optional<PopDate> told = watch_.date();
  if (!told || !line.begun || !clock_.handshakes || lives(line)) return false;
  PathView view;
  line.line.prober().fill(view);
  if (ports_.clock.now() < view.since + kDeadSurely) return false;
  return is_from_future(*line.begun, told->date, told->uncertainty);
}

}  // namespace sluice::tunnel
