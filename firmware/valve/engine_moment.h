// What an engine is doing at one moment, as far as it is known from what was sent to it and what
// came back: the part of a forecast that changes with every step.
#pragma once

#include "firmware/base/time.h"
#include "firmware/base/units.h"

namespace sluice::valve {

struct EngineMoment {
  Duration step_left;    // of the step under way
  Tokens prefill_left;   // sent prompts, uncached, to be computed in the steps after it
  int prompts_left = 0;  // that these belong to
  int decoding = 0;      // sequences that decode in the steps after it
  Tokens kv;             // their context, and that of the prompts in prefill
  // Share of the time lately that steps spent on prefill, 0..1.
  double duty = 0;
  // The least time to spare, against the TTFT promised, of the prompts in prefill if every step
  // from now on carried a full chunk: less than zero, and whatever is sent now makes one late.
  // kNobody: none is in prefill.
  Duration spare;
  bool operator==(const EngineMoment&) const = default;

  static constexpr Duration kNobody = Duration::seconds(1'000'000);
};

}  // namespace sluice::valve
