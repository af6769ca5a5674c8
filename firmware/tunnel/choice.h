// Which path carries a traffic class, and why. Pure: views, what was chosen before, the moment and
// the settings in; the choice with its reason and what speaks against every other path out.
//
// - Never to a path without fresh proof: alive, not suspect, answered within proof_max.
// - A dead path is left at once; a suspect one is not; a degraded one for a clearly better one
//   after degraded_window; a path whose PoP is about to stop as soon as another is good.
// - Back to a preferred or better path only after it has been good for clean_period.
// - A damped path only when no other is alive; a metered one only when no other is alive or what
//   is left is poor (loss_poor).
// - For bulk, loss and delay count only when the path is poor.
// - Nothing alive: stay. The tunnel's routes then lead to nowhere, which is meant.
// - Bulk takes another uplink than interactive when a good one is there that is not metered.
// Order of targets: not damped, not poor, not metered, not its PoP stopping, (bulk: not
// interactive's uplink), good before degraded, preference, loss and round trip, number.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/tunnel/path_settings.h"
#include "firmware/tunnel/path_view.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

inline constexpr int kNoPath = -1;

enum class Reason {
  first,          // nothing was chosen before
  stay,           // the path is as good as any
  stay_suspect,   // an answer is missing: its burst decides
  stay_degraded,  // no other is clearly better
  stay_held,      // another one would be better, and has not been good long enough
  nothing_alive,  // no path can be chosen
  path_dead,
  path_down,      // it is not brought up any more
  path_degraded,  // and the new one is clearly better
  pop_stopping,
  preferred,    // back to a path that is preferred
  better,       // a path with clearly less delay or loss
  not_metered,  // off a metered path
  own_uplink,   // bulk off interactive's uplink
  asked,        // an administrator asked for it
};
const char* to_text(Reason reason);
std::optional<Reason> parse_reason(std::string_view text);

enum class WhyNot {
  chosen,  // it is the chosen one
  down,
  starting,
  dead,
  suspect,
  no_proof,  // its last answer is too old
  damped,
  metered,
  degraded,
  poor,
  pop_stopping,
  shares_uplink,  // bulk: interactive uses it
  excluded,       // an administrator excluded it
  preference,     // another uplink is preferred
  too_new,        // it would be better, but has not been good long enough
  no_better,
};
const char* to_text(WhyNot why);
std::optional<WhyNot> parse_why_not(std::string_view text);

struct Alternative {
  int path = 0;
  WhyNot why = WhyNot::no_better;
  bool operator==(const Alternative&) const = default;
};

// What an administrator wants of a class, for example in a drill.
struct ChoiceWish {
  int only = kNoPath;     // as long as it is alive
  uint32_t excluded = 0;  // bit n: not path n, unless nothing else is alive
};

// What choice remembers from call to call: keep Choice::standing and pass it in again.
struct Standing {
  int path = kNoPath;
  Instant since;
  bool first = false;   // nothing was chosen before it
  int rival = kNoPath;  // a path that is better, and since when
  Instant rival_since;
  int returns = 0;  // moves back to a preferred or better path that are not forgotten
  Instant returned;
  bool operator==(const Standing&) const = default;
};

struct Choice {
  int path = kNoPath;
  int from = kNoPath;  // the one before
  bool moved = false;  // path is another one than before
  Reason reason = Reason::stay;
  std::vector<Alternative> alternatives;  // every path that was given, in that order
  Standing standing;
  std::optional<Instant> again;  // it may become another one then without a path changing
};

struct ChoiceAsk {
  TrafficClass traffic = TrafficClass::interactive;
  Standing standing;
  ChoiceWish wish;
  int interactive = kNoPath;  // for bulk: what interactive uses
};

// Call it when a path changed, at `again`, and once a second.
Choice choose(const ChoiceAsk& ask, const std::vector<PathView>& paths, Instant now,
              const PathSettings& settings);

// One sentence for people: what carries the class, and why.
Words explain(const Choice& choice, TrafficClass traffic, const std::vector<PathView>& paths);
Words explain(Reason reason);
Words explain(WhyNot why);

}  // namespace sluice::tunnel
