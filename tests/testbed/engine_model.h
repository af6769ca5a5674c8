// A continuous-batching inference engine in virtual time: no I/O and no clock.
//
// The engine works in steps. At the start of a step it makes room for the tokens to come (the
// youngest sequence is preempted and later recomputed when KV memory is short), then admits waiting
// requests in order of arrival while the batch and the KV memory allow. In a step every sequence
// whose prompt is computed yields one token; the others share `chunk_tokens` of prefill. The token
// that completes a prompt's prefill is its first. Steps follow one another without a gap, at
// absolute times: a caller that advances late changes nothing.
//
// Order: times never decrease. take_events() after any call returns what has happened since.
// Units: Micros of the caller's own timeline; tokens.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "tests/testbed/micros.h"
#include "tests/testbed/step_cost.h"

namespace sluice::testbed {

using RequestId = std::uint64_t;

struct EngineEvent {
  enum class Kind { admitted, first_token, token, finished, preempted };
  Kind kind;
  RequestId id;
  std::int64_t index;  // of the token, from 0; tokens generated so far for the other kinds
  Micros at;
};

class EngineModel {
 public:
  explicit EngineModel(const StepCost& cost) : cost_(cost) {}

  // False: such a request can never fit into the KV memory; nothing has been queued.
  bool submit(Micros now, RequestId id, std::int64_t prompt_tokens, std::int64_t output_tokens);

  // Frees the batch place and the memory at once; the step under way keeps its length.
  // No event follows for this id. An unknown id is ignored.
  void cancel(Micros now, RequestId id);

  void advance(Micros now);
  std::optional<Micros> next_event() const;
  std::vector<EngineEvent> take_events();
  void take_events(std::vector<EngineEvent>& into);  // the same; its old content goes

  // From the next step on, steps take this many times longer.
  void set_slowdown(double factor) { slowdown_ = factor; }

  int running() const { return static_cast<int>(running_.size()); }
  int waiting() const { return static_cast<int>(waiting_.size()); }
  double kv_usage() const;
  std::uint64_t preemptions() const { return preemptions_; }
  const StepCost& cost() const { return cost_; }

 private:
  struct Sequence {
    RequestId id;
    std::int64_t prompt;
    std::int64_t output;
    std::int64_t generated = 0;
    std::int64_t filled = 0;  // tokens of context whose KV has been computed
    std::int64_t chunk = 0;   // of them, in the step under way
    bool decoding = false;
    std::int64_t context() const { return prompt + generated; }
  };

  void begin_step(Micros at);
  void plan_step();
  void finish_step();
  bool make_room(Micros at);
  void admit(Micros at);
  std::int64_t room_in_chunk() const;  // that no running sequence will use
  bool yields_token(Sequence& sequence);
  void note(EngineEvent::Kind kind, const Sequence& sequence, Micros at);

  StepCost cost_;
  double slowdown_ = 1;

  std::deque<Sequence> waiting_;
  std::vector<Sequence> running_;  // in order of admission: the youngest is last
  std::int64_t kv_used_ = 0;       // sum of context() over running_
  std::uint64_t preemptions_ = 0;
  bool stepping_ = false;
  Micros step_begin_ = 0;
  Micros step_end_ = 0;
  std::vector<EngineEvent> events_;
};

}  // namespace sluice::testbed
