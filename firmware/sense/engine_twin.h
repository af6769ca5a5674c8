// Follows an engine step by step: what it must be doing with the prompts that we sent and the
// streams that came back. It knows three things for certain: when a prompt was sent, when its
// first token came, and when a token of any stream came, which is the end of a step. Between these
// it counts: prompts are computed first come, first served, a chunk at a time; a step ends when
// the model says so where no token shows it.
// A value; no clock. Order per request: sent, then began once, then ended; ended at any time.
#pragma once

#include <cstdint>
#include <deque>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/valve/engine_moment.h"
#include "firmware/valve/step_model.h"

namespace sluice::sense {

// What one step was, once its end has been seen.
struct StepSeen {
  Duration length;
  int decoding = 0;      // sequences that decoded in it
  double kv = 0;         // their context
  bool waiting = false;  // prompts were there to fill it
};

class EngineTwin {
 public:
  static constexpr size_t kPromptsMax = 4096;  // beyond it the oldest are taken as computed

  // `uncached`: of its `whole` prompt tokens, those that must be computed. `due`: its first token
  // was promised until then.
  void sent(uint64_t id, Tokens whole, Tokens uncached, Instant due, const valve::StepModel& model,
            Instant now);
  // A stream got tokens; the ones before came at `last`. Returns true if that was the end of a step
  // whose beginning was seen too, told in `seen`; false with a length in `seen` if it was not.
  bool token(int count, Instant last, const valve::StepModel& model, Instant now, StepSeen& seen);
  // The first token of a prompt came. True as above.
  bool began(uint64_t id, const valve::StepModel& model, Instant now, StepSeen& seen);
  // `context`: of the sequence, prompt and answer, if it had begun.
  void ended(uint64_t id, bool had_begun, Tokens context, Instant now);

  // When the first token of a prompt that was sent is to be expected; nothing is known: `now`.
  Instant expected_first(uint64_t id, const valve::StepModel& model, Instant now) const;
  valve::EngineMoment moment(const valve::StepModel& model, Instant now) const;
  size_t prompts() const { return prompts_.size(); }

 private:
  struct Prompt {
    uint64_t id = 0;
    int64_t whole = 0;
    int64_t left = 0;     // not computed when the step under way began
    int64_t in_step = 0;  // computed in the step under way
    Instant due;
  };

  bool stepping() const { return decoding_ > 0 || !prompts_.empty(); }
  void plan_step(const valve::StepModel& model, Instant begin);
  void finish_step();
  bool note_end(const valve::StepModel& model, Instant now, StepSeen& seen);
  // Reckons steps whose end no token has shown. While streams decode, only for a look ahead: what
  // is reckoned must not hide the end that is still to be seen.
  void catch_up(const valve::StepModel& model, Instant now);
  bool is_behind(const valve::StepModel& model, Instant now) const;
  valve::EngineMoment moment_as_planned(const valve::StepModel& model, Instant now) const;
  double step_us(const valve::StepModel& model) const;

  std::deque<Prompt> prompts_;  // in the order sent
  int decoding_ = 0;
  double kv_ = 0;  // of these
  Instant begin_;  // of the step under way
  int64_t in_step_ = 0;
  double seen_us_ = 0;  // usual length of a step, for telling two tokens of one step from two steps
  bool visible_ = false;  // its beginning was seen, not reckoned
};

}  // namespace sluice::sense
