// An engine as it is believed to be: continuous batching with chunked prefill, its steps as long as
// the step model says (valve/step_model.h). In virtual time; no clock.
//
// At the start of a step sequences are preempted, the youngest first, if KV memory is short; then
// requests are admitted in the order of their coming while the batch, the memory and what is left
// of the step's chunk allow, as vLLM's scheduler does. In a step each sequence whose prompt is
// computed gets a token, and prompts share a chunk in order. The token that completes a prompt is
// its first. Steps follow one another without a gap.
//
// Order: finish_step() exactly at step_end().
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/valve/step_model.h"

namespace sluice::rehearse {

struct EngineSpec {
  valve::StepModel step;
  int slots = 256;  // sequences at a time
  Tokens kv_max;    // zero: never short
};

// Requests that a step did something for, each kind in the order of admission.
struct StepDone {
  std::vector<uint32_t> tokens;  // a token, not their first
  std::vector<uint32_t> firsts;  // their first token
  std::vector<uint32_t> ended;   // of both: that was the last
};

class Engine {
 public:
  explicit Engine(const EngineSpec& spec) : spec_(spec) {}

  // False: it can never fit into the KV memory.
  bool submit(uint32_t request, int64_t prompt, int64_t output, Instant now);
  void cancel(uint32_t request);  // the step under way keeps its length
  std::optional<Instant> step_end() const { return step_end_; }  // nothing: it is idle
  const StepDone& finish_step();

  int running() const { return static_cast<int>(running_.size()); }
  int waiting() const { return static_cast<int>(waiting_.size()); }
  std::optional<double> kv_usage() const;  // nothing: memory is never short

 private:
  struct Sequence {
    uint32_t request = 0;
    int64_t prompt = 0;
    int64_t output = 0;
    int64_t generated = 0;
    int64_t filled = 0;  // tokens of context that have been computed
    int64_t chunk = 0;   // of them, in the step under way
    bool decoding = false;
    int64_t context() const { return prompt + generated; }
  };
  bool fits(int64_t tokens) const;
  void begin_step(Instant at);
  bool make_room();
  int64_t compute(Sequence& sequence, int64_t budget);
  int64_t admit(int64_t budget);  // prompt tokens that the newcomers compute in this step
  void note(const Sequence& sequence);

  EngineSpec spec_;
  std::deque<Sequence> waiting_;
  std::vector<Sequence> running_;  // in order of admission
  int64_t kv_used_ = 0;            // sum of context() over running_
  std::optional<Instant> step_end_;
  StepDone done_;
};

}  // namespace sluice::rehearse
