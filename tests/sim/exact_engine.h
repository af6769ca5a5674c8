// An engine whose future is known: the law of tests/sim/trace.h played step by step, and the
// question that no real valve can ask: would everybody keep the service level with this one too?
//
// It steps as tests/testbed/engine_model.h does (prompts in order of arrival share the chunk of a
// step; all that are computed get a token in every step), without KV preemption: what would need it
// does not fit. A sequence that decodes ends at a step whose number is known when it begins, so the
// future takes as many moves as there are prompts to compute and sequences to end, not steps.
// A value: copying it forks the future.
// Units: seconds of the caller's timeline, which never goes back.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/trace.h"

namespace sluice::sim {

struct EngineLaw {
  WorkLaw work;
  int64_t chunk_tokens = 0;
  int64_t kv_tokens = 0;
  int sequences_max = 256;
};

struct Level {
  double ttft_s = 2.0;
  double tpot_s = 0.1;
};

class ExactEngine {
 public:
  ExactEngine(const EngineLaw& law, Level level) : law_(law), level_(level) {}

  void submit(double now_s, int64_t prompt_tokens, int64_t output_tokens);
  // Whether this one and all that are here keep the level if nobody comes after it.
  bool fits(double now_s, int64_t prompt_tokens, int64_t output_tokens) const;
  void advance(double now_s);
  void finish();  // runs until nothing is left

  // How many have ended since the beginning, and how many of them missed the level they were judged
  // by.
  int64_t ended() const { return ended_count_; }
  int64_t missed() const { return missed_; }

 private:
  struct Pending {
    double arrived_s = 0;
    int64_t prompt = 0;
    int64_t output = 0;
    int64_t left = 0;  // of its prefill
  };
  struct Decoding {
    int64_t last_step = 0;
    double arrived_s = 0;
    double first_s = 0;
    int64_t prompt = 0;
    int64_t output = 0;
  };
  void begin_step(double at_s);
  void finish_step();
  void skip_steps(int64_t count);
  void start_decoding(const Pending& pending);
  void judge(const Decoding& sequence);
  bool has_overrun() const;

  EngineLaw law_;
  Level level_;
  std::vector<Pending> pending_;    // in order of arrival
  std::vector<Decoding> decoding_;  // the next to end is the last
  int64_t kv_ = 0;                  // context of those that decode
  int64_t kv_pending_ = 0;          // of those whose prompt is not computed yet
  int64_t step_ = 0;
  int64_t step_prefill_ = 0;
  double step_end_s_ = 0;
  bool stepping_ = false;
  int64_t ended_count_ = 0;
  int64_t missed_ = 0;
};

}  // namespace sluice::sim
