// One lease from the wish to its end, as a value. What happened goes in as an event, what is to be
// done now comes out as an act; between the two the step is stored, so that a box that loses power
// in any step finds it again and does the act again.
//
// proposed -> wanted                     a person agreed (only where leases are to be confirmed)
// wanted   -> opening                    stored: from here on it may cost money
// opening  -> serving -> draining -> closing -> released
//   opening -> closing                   too slow, or no longer wanted
//   opening -> released                  the platform refused
//   opening, serving, draining -> closing   its instance failed: asked to end, so that it costs
//                                        nothing more
//   proposed, wanted -> released         declined, or no longer wanted
// A restart of the box leads serving back to opening: where the instance answers is asked again.
// Nothing but the platform's word ends a lease that may cost money: closing is said again and
// again. Dates may jump: a jump forward ends a wait early, a jump back makes it longer by no more
// than the wait itself.
#pragma once

#include <string>

#include "firmware/base/time.h"
#include "firmware/ports/leases.h"

namespace sluice::capacity {

enum class LeaseState { proposed, wanted, opening, serving, draining, closing, released };

const char* to_text(LeaseState state);

struct LeaseBounds {
  Duration late_min = Duration::seconds(300);  // an opening is given up after this, or after
  int late_cold_starts = 4;                    // so many of its own cold starts, the longer of both
  Duration drain_max = Duration::seconds(600);  // running answers may end so long
  Duration repeat = Duration::seconds(20);      // what was asked of the platform is asked again
  bool operator==(const LeaseBounds&) const = default;
};

struct Step {
  LeaseState state = LeaseState::wanted;
  std::string lease;  // our id for it
  ports::LeaseOffer offer;
  Date decided;
  Date opened;      // asked of the platform: billed from here
  Date changed;     // when it came into its state
  Date asked;       // when the platform was last asked for what this state needs
  std::string why;  // of its last change, for people
  bool operator==(const Step&) const = default;
};

enum class LeaseHappening {
  agreed,    // by a person
  declined,  // by a person
  begun,     // wanted: the platform is about to be asked
  asked,     // the act of this step was carried out
  serving,   // the platform's words, from here
  refused,
  failed,
  closed,
  unknown,     // to here
  unanswered,  // serving, and its endpoint has not answered for too long
  not_needed,  // the rule's word
  drained,     // nothing of ours runs there any more
  restarted,   // the box
  time,        // passes
};

struct LeaseNews {
  LeaseHappening what = LeaseHappening::time;
  Date at;
  std::string text = {};
};

Step next(Step step, const LeaseNews& news, const LeaseBounds& bounds);

enum class LeaseAct { none, open, close };

// What the platform is to be asked now; none until `repeat` after the last time.
LeaseAct act_of(const Step& step, Date now, const LeaseBounds& bounds);

// Whether the platform may bill it: it must not be forgotten.
bool may_cost(const Step& step);
// Counts as held when the rule asks how many there are.
bool is_held(const Step& step);

}  // namespace sluice::capacity
