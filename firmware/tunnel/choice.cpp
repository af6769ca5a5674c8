#include "firmware/tunnel/choice.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "firmware/tunnel/path_quality.h"

namespace sluice::tunnel {

namespace {

constexpr double kLossLess = 0.03;   // least difference of two losses that counts
constexpr double kLossSure = 4;      // in standard deviations of the difference
constexpr double kLossEqual = 0.02;  // a path with less delay may lose so much more
constexpr Duration kLossCost = Duration::seconds(1);  // what a lost packet costs a stream, about
constexpr int kReturnsMax = 16;

Duration delay_of(const PathView& path) { return path.quality.rtt + path.quality.jitter * 2; }

bool shorter(const PathView& a, const PathView& b, const PathSettings& settings) {
  const Duration gain = delay_of(b) - delay_of(a);
  return gain >= settings.advantage_least &&
         (gain >= settings.advantage || gain >= delay_of(b).scaled(settings.advantage_share));
}

// Whether a share of `na` packets is less than one of `nb`, beyond what chance makes of equal
// paths.
bool surely_less(double la, int na, double lb, int nb) {
  if (na == 0 || nb == 0) return false;
  const double both = (la * na + lb * nb) / (na + nb);
  const double deviation = std::sqrt(both * (1 - both) * (1.0 / na + 1.0 / nb));
  return lb - la >= std::max(kLossLess, kLossSure * deviation);
}

// Large differences show in the window, small ones only over minutes.
bool loses_less(const PathView& a, const PathView& b) {
  const PathQuality& qa = a.quality;
  const PathQuality& qb = b.quality;
  return surely_less(loss_of(qa), qa.probes, loss_of(qb), qb.probes) ||
         surely_less(qa.loss_long, qa.probes_long, qb.loss_long, qb.probes_long);
}

bool better(const PathView& a, const PathView& b, const PathSettings& settings) {
  if (loses_less(a, b)) return delay_of(a) <= delay_of(b) + settings.rtt_leave;
  return shorter(a, b, settings) && a.quality.loss_long <= b.quality.loss_long + kLossEqual;
}

bool is_voluntary(Reason reason) {
  return reason == Reason::preferred || reason == Reason::better || reason == Reason::not_metered ||
         reason == Reason::own_uplink;
}

// One call of choose().
class Choosing {
 public:
  Choosing(const ChoiceAsk& ask, const std::vector<PathView>& paths, Instant now,
           const PathSettings& settings)
      : ask_(ask), paths_(paths), now_(now), settings_(settings) {
    choice_.standing = ask.standing;
    choice_.path = choice_.from = ask.standing.path;
    current_ = find(ask.standing.path);
    interactive_ = find(ask.interactive);
  }

  Choice run() {
    if (const PathView* wished = find(ask_.wish.only); wished != nullptr && can_take(*wished)) {
      take(*wished, Reason::asked);
    } else if (const auto why = must_leave()) {
      leave(*why);
    } else {
      look_around();
    }
    for (const PathView& path : paths_) {
      choice_.alternatives.push_back({path.number, why_not(path)});
    }
    return std::move(choice_);
  }

 private:
  struct Move {
    Reason reason = Reason::better;
    Instant when;           // not before
    bool compares = false;  // rests on a comparison, which has to last
  };

  const PathView* find(int number) const {
    for (const PathView& path : paths_) {
      if (path.number == number) return &path;
    }
    return nullptr;
  }
  bool proven(const PathView& path) const {
    const Duration old = path.metered ? settings_.proof_max_metered : settings_.proof_max;
    return path.proof && now_ - *path.proof <= old;
  }
  bool can_take(const PathView& path) const {
    if (&path == current_) return path.state != PathState::dead && is_up(path);
    return (path.state == PathState::good || path.state == PathState::degraded) && proven(path);
  }
  static bool is_up(const PathView& path) {
    return path.state != PathState::down && path.state != PathState::starting;
  }
  bool damped(const PathView& path) const { return path.hold_until > now_; }
  bool excluded(const PathView& path) const {
    return (ask_.wish.excluded >> static_cast<unsigned>(path.number) & 1U) != 0;
  }
  bool poor(const PathView& path) const {
    return path.below && loss_of(path.quality) >= settings_.loss_poor;
  }
  bool below(const PathView& path) const {
    return ask_.traffic == TrafficClass::bulk ? poor(path) : path.below;
  }
  bool shares_uplink(const PathView& path) const {
    return ask_.traffic == TrafficClass::bulk && interactive_ != nullptr &&
           interactive_->name.uplink == path.name.uplink;
  }
  // The least is the best target.
  auto rank(const PathView& path) const {
    const Duration cost = delay_of(path) + kLossCost.scaled(loss_of(path.quality));
    return std::tuple(excluded(path), damped(path), poor(path), path.metered, path.pop_stopping,
                      shares_uplink(path), below(path), path.preference, cost, path.number);
  }

  void take(const PathView& path, Reason reason) {
    choice_.reason = reason;
    choice_.path = path.number;
    choice_.moved = path.number != choice_.from;
    if (!choice_.moved) return;
    Standing& standing = choice_.standing;
    standing.path = path.number;
    standing.since = now_;
    standing.first = reason == Reason::first || early();
    standing.rival = kNoPath;
    if (!is_voluntary(reason) || early()) return;
    standing.returns = std::min(returns() + 1, kReturnsMax);
    standing.returned = now_;
  }

  std::optional<Reason> must_leave() const {
    if (choice_.from == kNoPath) return Reason::first;
    if (current_ == nullptr || !is_up(*current_)) return Reason::path_down;
    if (current_->state == PathState::dead) return Reason::path_dead;
    if (excluded(*current_)) return Reason::asked;
    return std::nullopt;
  }
  void leave(Reason why) {
    const PathView* best = nullptr;
    for (const PathView& path : paths_) {
      if (can_take(path) && (best == nullptr || rank(path) < rank(*best))) best = &path;
    }
    if (best != nullptr) return take(*best, why);
    choice_.reason = Reason::nothing_alive;
    choice_.standing.rival = kNoPath;
  }

  int returns() const {
    const int64_t forget = std::max<int64_t>(settings_.forget.as_us(), 1);
    const int64_t forgotten = (now_ - ask_.standing.returned).as_us() / forget;
    return static_cast<int>(std::max<int64_t>(ask_.standing.returns - forgotten, 0));
  }
  bool early() const {
    return ask_.standing.first && now_ - ask_.standing.since < settings_.first_period;
  }
  Duration clean_period() const {
    if (early()) return {};
    Duration period = settings_.clean_period;
    for (int i = 0; i < returns() && period < settings_.hold_max; ++i) period = period * 2;
    return std::max(std::min(period, settings_.hold_max), settings_.clean_period);
  }

  // What may move the class from the living current path to `path`.
  std::optional<Move> reason_to_move(const PathView& path) const {
    const PathView& now = *current_;
    const bool to_metered = path.metered && !now.metered;
    if (excluded(path) || path.pop_stopping || poor(path)) return std::nullopt;
    if (to_metered && !poor(now)) return std::nullopt;
    if (now.pop_stopping && !below(path)) return Move{Reason::pop_stopping, now_};
    if (below(now)) return reason_off_degraded(path);
    if (below(path) || to_metered) return std::nullopt;
    const Instant clean = path.rated_since + clean_period();
    if (now.metered && !path.metered) return Move{Reason::not_metered, clean};
    if (shares_uplink(path) && !shares_uplink(now)) return std::nullopt;
    if (shares_uplink(now) && !shares_uplink(path)) return Move{Reason::own_uplink, clean};
    if (path.preference < now.preference && !loses_less(now, path)) {
      return Move{Reason::preferred, clean};
    }
    if (path.preference > now.preference || !better(path, now, settings_)) return std::nullopt;
    return Move{Reason::better, std::max(clean, rival_since(path) + settings_.clean_period), true};
  }
  std::optional<Move> reason_off_degraded(const PathView& path) const {
    if (below(path) ? !loses_less(path, *current_) : !better(path, *current_, settings_)) {
      return std::nullopt;
    }
    const Instant since = std::max(current_->rated_since, rival_since(path));
    return Move{Reason::path_degraded, since + settings_.degraded_window, true};
  }
  Instant rival_since(const PathView& path) const {
    return ask_.standing.rival == path.number ? ask_.standing.rival_since : now_;
  }

  void look_around() {
    choice_.reason = current_->state == PathState::suspect ? Reason::stay_suspect
                     : below(*current_)                    ? Reason::stay_degraded
                                                           : Reason::stay;
    if (current_->state == PathState::suspect) return;
    const PathView* best = nullptr;
    const PathView* rival = nullptr;
    Reason reason = Reason::stay;
    for (const PathView& path : paths_) {
      if (&path == current_ || !can_take(path)) continue;
      const std::optional<Move> move = reason_to_move(path);
      if (!move) continue;
      if (move->compares && (rival == nullptr || rank(path) < rank(*rival))) rival = &path;
      const Instant when = std::max(move->when, path.hold_until);
      if (when > now_) {
        if (!choice_.again || when < *choice_.again) choice_.again = when;
      } else if (best == nullptr || rank(path) < rank(*best)) {
        best = &path;
        reason = move->reason;
      }
    }
    remember(rival);
    if (best != nullptr) return take(*best, reason);
    if (choice_.again && choice_.reason == Reason::stay) choice_.reason = Reason::stay_held;
  }
  void remember(const PathView* rival) {
    Standing& standing = choice_.standing;
    standing.rival_since = rival == nullptr ? Instant() : rival_since(*rival);
    standing.rival = rival == nullptr ? kNoPath : rival->number;
  }

  WhyNot why_not(const PathView& path) const {
    if (path.number == choice_.path) return WhyNot::chosen;
    if (path.state == PathState::down) return WhyNot::down;
    if (path.state == PathState::starting) return WhyNot::starting;
    if (path.state == PathState::dead) return WhyNot::dead;
    if (path.state == PathState::suspect) return WhyNot::suspect;
    if (!proven(path)) return WhyNot::no_proof;
    if (excluded(path)) return WhyNot::excluded;
    if (damped(path)) return WhyNot::damped;
    if (poor(path)) return WhyNot::poor;
    if (path.pop_stopping) return WhyNot::pop_stopping;
    if (path.metered) return WhyNot::metered;
    if (shares_uplink(path)) return WhyNot::shares_uplink;
    if (below(path)) return WhyNot::degraded;
    const PathView* chosen = find(choice_.path);
    if (chosen == nullptr) return WhyNot::no_better;
    if (path.preference > chosen->preference) return WhyNot::preference;
    const bool wanted = path.preference < chosen->preference || better(path, *chosen, settings_);
    return wanted ? WhyNot::too_new : WhyNot::no_better;
  }

  const ChoiceAsk& ask_;
  const std::vector<PathView>& paths_;
  const Instant now_;
  const PathSettings& settings_;
  const PathView* current_ = nullptr;
  const PathView* interactive_ = nullptr;
  Choice choice_;
};

}  // namespace

Choice choose(const ChoiceAsk& ask, const std::vector<PathView>& paths, Instant now,
              const PathSettings& settings) {
  return Choosing(ask, paths, now, settings).run();
}

}  // namespace sluice::tunnel
