// An engine whose steps cost exactly what a model says, for tests of what is learned from it: one
// prompt after another, a chunk a step; every stream gets a token at the end of each step.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "firmware/sense/node_state.h"
#include "firmware/valve/step_model.h"

namespace sluice::sense {

class StepEngine {
 public:
  StepEngine(NodeState& node, const valve::StepModel& truth) : node_(node), truth_(truth) {}

  Instant now() const { return now_; }
  int streams() const { return static_cast<int>(streams_.size()); }
  bool is_idle() const { return prompts_.empty() && streams_.empty(); }
  void set_truth(const valve::StepModel& truth) { truth_ = truth; }

  void send(int64_t prompt, int64_t output) {
    Flight flight;
    flight.id = ++last_id_;
    flight.prompt_tokens = {prompt};
    flight.tpot_max = Duration::ms(100);
    flight.due = now_ + Duration::seconds(2);
    node_.reserve(flight, now_);
    prompts_.push_back({last_id_, prompt, prompt, output});
  }

  // One step, from its beginning to its end.
  void step() {
    int64_t room = truth_.chunk_tokens;
    double kv = 0;
    for (const Work& stream : streams_) kv += static_cast<double>(stream.prompt + stream.said);
    std::deque<Work> begun;
    int64_t computed = 0;
    while (!prompts_.empty() && room > 0) {
      Work& next = prompts_.front();
      const int64_t part = std::min(room, next.left);
      next.left -= part;
      room -= part;
      computed += part;
      if (next.left > 0) break;
      begun.push_back(next);
      prompts_.pop_front();
    }
    const double us = truth_.decode_us(static_cast<double>(streams_.size()), kv) +
                      truth_.prefill_us_per_token * static_cast<double>(computed);
    now_ = now_ + Duration::us(static_cast<int64_t>(us));
    std::vector<uint64_t> ended;
    for (Work& stream : streams_) {
      node_.tokens(stream.id, 1, now_);
      if (++stream.said >= stream.output) ended.push_back(stream.id);
    }
    for (Work& first : begun) {
      node_.first_token(first.id, now_);
      first.said = 1;
      streams_.push_back(first);
    }
    for (const uint64_t id : ended) {
      node_.end(id, {FlightEnd::served, {}, true, {}, "", -1}, now_);
      std::erase_if(streams_, [id](const Work& stream) { return stream.id == id; });
    }
  }

 private:
  struct Work {
    uint64_t id = 0;
    int64_t prompt = 0;
    int64_t left = 0;
    int64_t output = 0;
    int64_t said = 0;
  };
  NodeState& node_;
  valve::StepModel truth_;
  Instant now_ = Instant::from_us(1'000'000);
  uint64_t last_id_ = 0;
  std::deque<Work> prompts_;
  std::vector<Work> streams_;
};

}  // namespace sluice::sense
