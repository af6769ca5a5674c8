// Everything believed of one node, and what was sent to it: the open-loop half (our own requests,
// counted the moment they are decided) and the closed-loop half (what the engine tells of itself),
// joined into a valve::NodeView.
// Order, per flight: reserve, then first_token and tokens as they come, then end; exactly one end.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/sense/breaker.h"
#include "firmware/sense/engine_reading.h"
#include "firmware/sense/engine_twin.h"
#include "firmware/sense/failure_share.h"
#include "firmware/sense/field_watch.h"
#include "firmware/sense/forecast_error.h"
#include "firmware/sense/link_belief.h"
#include "firmware/sense/load_history.h"
#include "firmware/sense/prefix_index.h"
#include "firmware/sense/queue_estimate.h"
#include "firmware/sense/step_fit.h"
#include "firmware/sense/tpot_curve.h"
#include "firmware/sense/ttft_fit.h"
#include "firmware/sense/window.h"
#include "firmware/valve/view.h"

namespace sluice::sense {

struct ModelName {
  std::string name;      // as clients say it
  std::string upstream;  // as the node says it
  auto operator<=>(const ModelName&) const = default;
};

// What settings say of a node; box currency.
struct NodeProfile {
  std::string name;
  valve::Place place = valve::Place::local;
  std::string engine;
  bool enabled = true;
  std::string trouble;            // not empty: it cannot be used, and why (its key cannot be read)
  std::vector<ModelName> models;  // aliases are entries of their own; empty: ask the node
  int concurrency_limit = 0;      // 0 = none
  int untried_concurrency = 0;    // 0 = any
  int requests_per_minute = 0;    // that we may send; 0 = no limit
  int64_t price_in_nano = 0;
  int64_t price_out_nano = 0;
  int64_t price_cached_nano = 0;
  int64_t carbon_ug_per_token = 0;
  Tokens context_max;  // zero: what the node says
  valve::FeatureSet offers = valve::FeatureSet::all();
  int weight = 1;
  Duration stale_after;            // of what its engine tells; zero: never
  Duration slow_stale_after = {};  // of what it tells in documents at the pace of health probes
};

struct SenseTimes {
  Duration lease = Duration::ms(1000);
  Duration window = Duration::seconds(10);
  Duration memory = Duration::seconds(600);
  BreakerTimes breaker;
  double late_quantile = 0;  // of TTFT: later than this is late; 0 = nobody asks
};

// One attempt that is on its way to, or in, a node.
struct Flight {
  uint64_t id = 0;  // unique among all attempts
  Tokens prompt_tokens;
  Duration tpot_max;     // what its request was promised
  bool streamed = true;  // its tokens will be seen one by one
  Tokens matched = {};   // of the prompt, sent there before
  Instant due = {};      // its first token was promised until then
};

// How an attempt ended, as far as it says something about the node.
enum class FlightEnd {
  served,
  outrun,         // another copy was faster: its first token would have come later
  cancelled,      // the client left, or another reason on our side: says nothing
  client_fault,   // the node refused this request, rightly: the node is well
  asked_to_wait,  // 429 or 503; or it refuses our credential
  failed,         // 5xx but 501, reset, cut, garbage, timeout
};

struct FlightResult {
  FlightEnd end = FlightEnd::served;
  Tokens output;         // as counted
  bool streamed = true;  // tokens came one by one
  Duration retry_after;  // for asked_to_wait
  std::string why;       // for failed and asked_to_wait: for people
  double cached = -1;    // of the prompt, as the node reported; negative: it did not
};

class NodeState {
 public:
  NodeState(valve::NodeId id, NodeProfile profile, const SenseTimes& times);

  void set_profile(NodeProfile profile);
  void set_times(const SenseTimes& times);
  const NodeProfile& profile() const { return profile_; }
  valve::NodeId id() const { return id_; }

  void reserve(const Flight& flight, Instant now);
  void first_token(uint64_t flight, Instant now);
  void tokens(uint64_t flight, int count, Instant now);  // after the first
  void end(uint64_t flight, const FlightResult& result, Instant now);

  void read(const EngineReading& reading, Instant now);
  void health(bool alive, std::string_view why, Instant now);
  // Of the path to it; nothing: it is behind none that is watched.
  void link(const std::optional<LinkTold>& told, Instant now);
  void models(std::vector<std::string> names) { listed_models_ = std::move(names); }
  void slots(int slots);
  void context(Tokens most) { listed_context_ = most; }  // zero: it does not say
  void learn(Instant now);  // refreshes what view() copies; a few times a second

  // What a calibration measured; it holds until its streams show something else.
  void set_card_facts(const valve::StepModel& facts) { steps_.set_prior(facts); }
  const valve::StepModel& step_model() const { return steps_.model(); }
  // Whether the first token of a flight may still be expected to come when it was promised.
  bool is_in_sight(uint64_t flight, Instant now) const;

  valve::NodeView view(Instant now) const;
  std::optional<std::string> upstream_name(const std::string& model) const;
  std::vector<std::string> served_models() const;

  int in_flight() const { return static_cast<int>(flights_.size()); }
  std::string why(Instant now) const;  // of a node that is not up
  std::optional<Duration> reading_age(Instant now) const;
  const EngineReading& reading() const { return reading_; }
  // What the engine told, with latencies by difference of two looks.
  EngineLoad load(Instant now) const;
  const FieldWatch& told() const { return told_; }
  void documents(const EngineReading& told, Instant now) { history_.add(told, now); }
  const QueueEstimate& queue() const { return queue_; }
  std::optional<Duration> ttft_p50(Instant now) const { return ttfts_.quantile(0.5, now); }
  std::optional<Duration> tpot_p50(Instant now) const { return tpots_.quantile(0.5, now); }
  double cache_trust() const { return trust_.share(); }
  bool take_restart() { return std::exchange(began_anew_, false); }  // since it was last asked
  uint64_t ended_count() const { return ended_count_; }

 private:
  struct Open {
    Flight flight;
    Instant sent;
    Tokens ahead;  // prompt tokens whose prefill comes before its first token, its own too
    bool in_backlog = true;  // its prompt counts as not yet prefilled
    bool started = false;    // the first token came
    Instant first;
    Instant last;              // token
    int concurrency_then = 0;  // at `last`
    int tokens = 0;
    Tokens uncached;    // of the prompt: to be computed, as believed
    Duration forecast;  // of its TTFT when it was sent; zero: none was made
  };
  bool is_followed() const { return profile_.place == valve::Place::local; }
  void follow_sent(Open& open, Instant now);
  void follow_first(const Open& open, Instant now);
  void note_step(bool told, const StepSeen& step);
  double duty(Instant now) const;
  int concurrency(Instant now) const;
  int slots_known() const;  // 0: none
  void note_queue(const EngineReading& before, const EngineReading& after, Instant now);
  void leave_backlog(Open& open);
  void assume_prefilled(Instant now);
  bool is_fresh(Instant now) const;
  bool is_minute_full(Instant now) const;
  void learn_from_engine(const EngineReading& before, const EngineReading& after, Instant now);

  valve::NodeId id_;
  NodeProfile profile_;
  SenseTimes times_;
  Breaker breaker_;
  TpotCurve curve_;
  TtftFit fit_;
  EngineTwin twin_;
  StepFit steps_;
  ForecastError forecast_error_;
  double prefill_us_ = 0;  // spent lately, decayed; as of prefill_at_
  Instant prefill_at_;
  Window ttfts_;
  Window tpots_;
  Window lates_;        // TTFT too, over a longer time
  Duration ttft_late_;  // as of the last learn()
  FailureShare failures_;
  LinkBelief link_;
  CacheTrust trust_;
  bool began_anew_ = false;
  Duration residence_;
  std::map<uint64_t, Open> flights_;
  std::deque<Instant> sent_lately_;   // the last requests_per_minute, if there is such a limit
  std::map<Duration, int> promises_;  // tpot_max of flights -> how many
  Tokens prefill_backlog_;
  uint64_t ended_count_ = 0;

  LoadHistory history_;
  FieldWatch told_;
  EngineReading reading_;
  Instant read_at_;
  bool ever_read_ = false;
  QueueEstimate queue_;
  int engine_slots_ = 0;
  bool looks_dead_ = false;  // said the last probe
  std::vector<std::string> listed_models_;
  Tokens listed_context_;

  std::vector<valve::TpotPoint> points_;  // as of the last learn()
  double us_per_token_ = 0;
  Duration ttft_base_;
};

}  // namespace sluice::sense
