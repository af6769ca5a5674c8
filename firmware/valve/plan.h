// The decision as data.
#pragma once

#include <cstdint>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/valve/ask.h"
#include "firmware/valve/forecast.h"
#include "firmware/valve/view.h"

namespace sluice::valve {

enum class Verdict {
  send,    // to the first candidate; the others follow if it fails before the first byte
  hold,    // wait in the fair queue; decide again when something has changed
  refuse,  // no node can ever take it, or none may
};

enum class Reason {
  local_fits,         // send: local keeps the service level
  local_ttft,         // overflow: the first token would come too late here
  local_tpot,         // overflow: it, or a running request, would get its tokens too slowly
  local_untried,      // overflow: more concurrency than this engine has shown to bear
  local_slots,        // overflow: every slot of the engine is taken
  local_draining,     // overflow: the level has not yet fallen below the hysteresis band
  local_down,         // overflow: no local node answers
  cloud_no_better,    // send here: the first token comes late here, but later elsewhere
  no_local,           // no local node serves this model: the cloud is where it is served
  overflow_off,       // send here although it does not fit: the valve is closed
  last_resort,        // no node looks well; the least bad is tried
  full_stays_home,    // hold: it may not leave, and local is full
  full_no_cloud,      // hold: no cloud node can take it, and local is full
  full_overflow_off,  // hold: local is full and the valve is closed
  waits_its_turn,     // hold: others of its kind wait already, and the place is theirs
  waits_for_place,    // hold: local will keep the service level in a moment, and not at once
  down_stays_home,    // hold: it may not leave and local is down
  cloud_full,         // hold: it is served in the cloud only, and every node there is at its limit
  down_overflow_off,  // hold: no local node answers and the valve is closed
  down_no_cloud,      // hold: every node is down
  closed_no_local,    // refuse: only the cloud serves this model and the valve is closed
  not_permitted,      // refuse: this key or data may use none of the nodes
  past_deadline,      // refuse: too late for a first byte
  too_long,           // refuse: longer than the context of every node that may serve it
  no_feature,         // refuse: no node that may serve it offers what it needs
  over_budget,        // refuse: only nodes that cost money serve it, and the budget is used up
  budget_stays_home,  // hold: the budget for nodes that cost is used up, and local cannot take it
  by_rule,            // send: the site decides by a rule of its choice (rule.h)
};
inline constexpr Reason kReasonLast = Reason::by_rule;

struct Candidate {
  NodeId node;
  Place place = Place::local;
  Duration first_byte_max;
  Forecast forecast;
  Money cost;   // estimated, box currency
  Money score;  // what the choice went by: score.h
  bool operator==(const Candidate&) const = default;
};

inline constexpr Instant kNever = Instant::from_us(INT64_MAX);

struct Plan {
  Verdict verdict = Verdict::refuse;
  Reason reason = Reason::not_permitted;
  std::vector<Candidate> candidates;  // in order; empty unless `send`
  bool overflowing = false;           // the valve's state after this decision
  double level = 0;                   // of the best local node, this request included
  int line = 0;                       // of that node; 0 = none or unknown
  Duration hedge_after;               // a copy to the next candidate then; zero = never
  Tokens context_max;                 // too_long: the longest context that there was
  // hold: the last moment at which another node could still keep the service level; decide again
  // then at the latest. Never, if there is no such node.
  Instant decide_by = kNever;
  // send: the same moment for a request that was sent to the first candidate: if its first token
  // is not in sight then, it goes to the second instead.
  Instant rescue_at = kNever;
  bool operator==(const Plan&) const = default;
};

}  // namespace sluice::valve
