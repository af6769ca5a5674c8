// An engine whose steps cost exactly what a model says, in front of what is learned from it: the
// node hears of each token at the end of its step, as from a stream.
#pragma once

#include "firmware/rehearse/engine.h"
#include "firmware/sense/node_state.h"

namespace sluice::sense {

class StepEngine {
 public:
  StepEngine(NodeState& node, const valve::StepModel& truth) : node_(node), engine_(spec(truth)) {}

  Instant now() const { return now_; }
  int streams() const { return streams_; }
  bool is_idle() const { return !engine_.step_end(); }
  // Ends what runs, and begins anew by another law.
  void restart(const valve::StepModel& truth) {
    while (!is_idle()) step();
    engine_ = rehearse::Engine(spec(truth));
  }

  void send(int64_t prompt, int64_t output) {
    Flight flight;
    flight.id = ++last_id_;
    flight.prompt_tokens = {prompt};
    flight.tpot_max = Duration::ms(100);
    flight.due = now_ + Duration::seconds(2);
    node_.reserve(flight, now_);
    engine_.submit(last_id_, prompt, output, now_);
  }

  // To the end of the step under way.
  void step() {
    now_ = *engine_.step_end();
    const rehearse::StepDone& done = engine_.finish_step();
    for (const uint32_t id : done.tokens) node_.tokens(id, 1, now_);
    for (const uint32_t id : done.firsts) node_.first_token(id, now_);
    for (const uint32_t id : done.ended) {
      node_.end(id, {FlightEnd::served, {}, true, {}, "", -1}, now_);
    }
    streams_ += static_cast<int>(done.firsts.size()) - static_cast<int>(done.ended.size());
  }

 private:
  static rehearse::EngineSpec spec(const valve::StepModel& truth) { return {truth, 256, {}}; }

  NodeState& node_;
  rehearse::Engine engine_;
  Instant now_ = Instant::from_us(1'000'000);
  uint32_t last_id_ = 0;
  int streams_ = 0;
};

}  // namespace sluice::sense
