// One path's detector: questions, answers and what the underlay tells in; state and what to do next
// out. A value without clock or socket, so that it runs in virtual time.
//
//            answer                 overdue                 burst unanswered
//  starting --------> good/degraded <------> suspect --------------------------> dead
//     ^   ^           (by quality)   answer                                       | answers in a
//     row |   |                ^------------------------------------------------------+ (to a
//     question
//  bring_up     lose() leads from any of them to dead at once                        since it died)
//     |
//   down <- take_down() from any
//
// Dead is binary and fast (milliseconds); degraded is statistical and slow (PathSettings::window).
// Order: bring_up, then act on next() whenever it says so, after every event.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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

class PathHealth {
 public:
  explicit PathHealth(const PathSettings& settings) : settings_(settings) {}
  void set(const PathSettings& settings) { settings_ = settings; }

  // Underlay events.
  void bring_up(Instant now);                        // its interface is there and configured
  void take_down(Instant now, std::string trouble);  // on purpose; not a failure
  void lose(Instant now, DeathCause cause);          // dead at once, and not asked until regain
  void regain(Instant now);                          // asks at once; alive when answers come
  void move_endpoint(Instant now);                   // the same path by another way: asks at once
  void set_metered(bool metered) { metered_ = metered; }
  void set_carrying(Instant now, bool carrying);  // it is chosen for some class

  // What to do now. Gives up what is overdue and moves the state; call again at `wake`.
  struct Next {
    bool ask = false;       // send a question of the interactive class now: ask()
    bool ask_bulk = false;  // and of the bulk class: ask_bulk()
    Instant wake;           // far away when it is down
  };
  Next next(Instant now);
  uint64_t ask(Instant now);
  uint64_t ask_bulk(Instant now);
  uint64_t ask_size(Instant now);  // interactive, of a size that may not pass
  void ask_soon(Instant now);      // next() says `ask` at once, whatever the interval

  // Nothing: it answers no question that is still kept, or one that was answered before.
  std::optional<ProbeTrack::Answer> answer(Instant received, TrafficClass traffic,
                                           uint64_t sequence, uint32_t seen);

  PathState state() const { return state_; }
  bool changed();  // state or rating changed since this was asked last
  // Parts of the view that are known here; name, number, preference, mtu are the owner's.
  void fill(PathView& view, Instant now) const;
  std::optional<Instant> proof() const { return proof_; }
  Duration answer_time_max() const;  // after this long a question has no answer any more
  Duration interval(Instant now) const;
  const Damping& damping() const { return damping_; }
  DeathCause cause() const { return cause_; }
  int unanswered() const { return interactive_.unanswered(); }

 private:
  void move_to(PathState state, Instant now);
  void rate(Instant now);
  void die(Instant now, DeathCause cause);
  void revive(Instant now);

  PathSettings settings_;
  PathState state_ = PathState::down;
  Instant since_;
  bool lost_ = false;   // by the underlay: there is no use in asking
  bool below_ = false;  // rating: degraded
  Instant rated_since_;
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
  uint64_t burst_last_ = 0;  // sequence of the burst's last question
  uint64_t died_at_ = 0;     // sequences up to it were asked before it died
  int answers_ = 0;          // since then, without a miss between them
  bool changed_ = false;
};

}  // namespace sluice::tunnel
