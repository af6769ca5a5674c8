// What is believed about the nodes at one moment: an immutable snapshot that the decision reads.
// Durations carry their own age: a belief whose lease has ended is not used (decide.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/valve/ask.h"
#include "firmware/valve/engine_moment.h"
#include "firmware/valve/step_model.h"

namespace sluice::valve {

enum class Place { local, cloud };

enum class Health {
  up,
  slow_start,  // came back a moment ago: takes a growing share
  probing,     // one trial request at a time
  down,
  unknown,  // never heard of: used when nothing better is there
};

// One measured point of "time per output token against concurrency". Points rise in concurrency.
struct TpotPoint {
  int concurrency = 0;
  Duration tpot;
  bool operator==(const TpotPoint&) const = default;
};

inline constexpr int kTpotPointsMax = 24;

struct NodeView {
  NodeId id;
  std::string name;
  Place place = Place::local;
  Health health = Health::unknown;
  double share = 1.0;    // 0..1, of its capacity, while in slow_start
  Instant leased_until;  // the engine's own figures below (waiting, others, kv) hold until then
  int in_flight = 0;     // sent by us and not ended; reservations included
  int others = 0;        // running or waiting in the engine but not from us
  int waiting = 0;       // in the engine's own queue, for longer than a step
  int slots = 0;         // requests the engine (or a declared limit) runs at once; 0 = not known
  int untried_concurrency = 0;      // believed safe without measurement; 0 = any
  double kv_usage = -1;             // 0..1; negative = not known
  Tokens prefill_backlog;           // prompt tokens sent by us whose first token has not come
  Duration ttft_base;               // TTFT of an empty prompt on an idle engine, path included
  double prefill_us_per_token = 0;  // slope of TTFT over prompt tokens ahead; 0 = not measured
  Duration residence;               // mean time a request stays; zero = not measured
  std::vector<TpotPoint> tpot;      // at most kTpotPointsMax
  Duration strictest_tpot;          // the least tpot_max among running requests; zero = none runs
  int64_t price_in_nano = 0;        // box currency per token, in billionths
  int64_t price_out_nano = 0;
  int64_t carbon_ug_per_token = 0;
  int64_t price_cached_nano = 0;          // of a prompt token that the node had cached
  Tokens context_max;                     // prompt and answer; zero = not known
  FeatureSet offers = FeatureSet::all();  // what is not known is believed
  double failure_share = 0;               // of the attempts of late, 0..1
  int weight = 1;                         // share among nodes that are alike; 0 = a spare
  Tokens matched;                         // of this prompt, sent there before
  Tokens cached;                          // of this prompt, expected in its prefix cache
  StepModel step;                         // not known: the figures above are all there is
  EngineMoment moment;                    // as of View::now
  double ttft_spread = 0;  // a TTFT may come out later than forecast by this share, rarely by more
  Duration ttft_late;      // few of its answers of late began later; zero = not known, or not asked
  bool operator==(const NodeView&) const = default;
};

struct View {
  Instant now;
  bool overflowing = false;     // the valve was open for this model after the last decision
  int held = 0;                 // requests in the fair queue for this model, before this one
  Tokens held_prompt;           // their prompt tokens
  std::vector<NodeView> nodes;  // those that serve the model, by id
  bool operator==(const View&) const = default;
};

}  // namespace sluice::valve
