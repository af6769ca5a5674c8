// A plan in words and numbers, for people, in English and Chinese.
#pragma once

#include <string>

#include "firmware/valve/plan.h"
#include "firmware/valve/step_model.h"
#include "firmware/valve/view.h"

namespace sluice::valve {

enum class Language { en, zh };

const char* to_text(Verdict verdict);
const char* to_text(Reason reason);
const char* to_text(Bound bound);
const char* to_text(Place place);
const char* to_text(Health health);
const char* to_text(Priority priority);
const char* to_text(Goal goal);
const char* to_text(Feature feature);

// One sentence: what was decided, why, and the figures it rests on.
std::string explain(const View& view, const Plan& plan, Language language);

// What is wrong with the size of the chunks in which an engine computes prompts, and the one to
// set; empty if a full step keeps `tpot_max` beside `sequences` that decode.
std::string chunk_advice(const StepModel& step, double sequences, double kv_tokens,
                         Duration tpot_max, Language language);

}  // namespace sluice::valve
