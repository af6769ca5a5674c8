// One path's detector: questions, answers and what the underlay tells in; state and what to do next
// out. A value without clock or socket, so that it runs in virtual time.
//
//               answer                  missed                 burst missed
//   starting ---------> good/degraded --------> suspect -----------------------> dead
//      ^  ^              (its rating)  <--------                                  | |
//      |  '-- bring_up        ^          answer      recover_answers in a row     | |
//      |                      '---------------------------------------------------' |
//     down <- take_down from any;     lose leads from any but down to dead at once -'
//
// Dead is binary and fast (milliseconds): an answer is missed, then a whole burst. Degraded is
// statistical and slow (PathSettings::window), with separate thresholds to enter and to leave; loss
// counts when it is above the threshold with 95 % confidence (normal approximation of the
// binomial). Answers that come late count for coming back, each once. Order: bring_up; then act on
// next() after every event, and at its `wake`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/tunnel/damping.h"
#include "firmware/tunnel/path_quality.h"
#include "firmware/tunnel/path_settings.h"
#include "firmware/tunnel/path_view.h"

namespace sluice::tunnel {

enum class DeathCause {
  unanswered,       // a burst of probes had no answer
  carrier_lost,     // of the uplink
  uplink_gone,      // its interface, address or route
  data_plane_lost,  // what carries the WireGuard interface ended
};
const char* to_text(DeathCause cause);
std::optional<DeathCause> parse_death_cause(std::string_view text);

class PathHealth {
 public:
  explicit PathHealth(const PathSettings& settings) : settings_(settings) {}
  void set(const PathSettings& settings) { settings_ = settings; }

  // What the owner tells.
  void bring_up(Instant now);  // its interface is there and configured: sequences begin anew
  void take_down(Instant now, std::string trouble);  // on purpose: not a failure
  void lose(Instant now, DeathCause cause);          // dead at once, not asked until regain
  void regain(Instant now);                          // asked at once, alive when it answers
  void move_endpoint(Instant now);                   // the same path by another way: asked at once
  void set_metered(bool metered) { metered_ = metered; }
  bool set_carrying(Instant now, bool carrying);  // it is chosen for some class; true: a change

  // What to do now. Gives up what is overdue and moves the state.
  struct Next {
    bool ask = false;             // send a question of the interactive class: ask()
    bool ask_bulk = false;        // and one of the bulk class: ask_bulk()
    std::optional<Instant> wake;  // nothing: not before another event
  };
  Next next(Instant now);
  // The sequence to send.
  uint64_t ask(Instant now);
  uint64_t ask_bulk(Instant now);
  uint64_t ask_size(Instant now, Duration wait);  // interactive, of a size that may not pass
  void ask_soon(Instant now);                     // next() says `ask`, whatever the interval

  // Nothing: it answers no question that is still kept, or one that was answered before.
  std::optional<ProbeTrack::Answer> answer(Instant received, TrafficClass traffic,
                                           uint64_t sequence, uint32_t seen);

  PathState state() const { return state_; }
  bool alive() const;
  bool take_changed();  // state or rating changed since this was asked last
  // State, since, proof, qualities, hold, rating, metered, trouble; the rest is the owner's.
  void fill(PathView& view, Instant now) const;
  std::optional<Instant> proof() const { return proof_; }
  Duration interval(Instant now) const;  // between regular questions
  // After this long a question of a size has no answer any more, while a small question that was
  // sent after it has.
  Duration size_wait(Instant now) const;
  const Damping& damping() const { return damping_; }
  std::optional<DeathCause> died_of() const;   // while it is dead
  DeathCause cause() const { return cause_; }  // of the last death
  int unanswered() const { return interactive_.unanswered(); }

 private:
  void move_to(PathState state, Instant now);
  void suspect(Instant now);
  void die(Instant now, DeathCause cause);
  void revive(Instant now);
  void rate(Instant now);
  bool falls(const PathQuality& quality) const;
  bool recovers(const PathQuality& quality) const;

  PathSettings settings_;
  PathState state_ = PathState::down;
  Instant since_;
  Instant asked_since_;  // brought up, lost or told of a change
  bool lost_ = false;    // by the underlay: there is no use in asking
  bool below_ = false;   // rating: degraded
  Instant rated_since_;
  bool judge_ = false;  // something came or was missed since it was rated
  bool metered_ = false;
  bool carrying_ = false;
  std::string trouble_;
  std::optional<Instant> proof_;
  DeathCause cause_ = DeathCause::unanswered;
  ProbeTrack interactive_;
  ProbeTrack bulk_;
  Damping damping_;
  Instant next_ask_;
  Instant next_bulk_;
  int burst_left_ = 0;
  uint64_t burst_last_ = 0;  // sequence of the burst's latest question
  int answers_ = 0;          // in a row, while dead
  bool changed_ = false;
};

}  // namespace sluice::tunnel
