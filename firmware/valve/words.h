// A plan in words and numbers, for people, in English and Chinese.
#pragma once

#include <string>

#include "firmware/valve/plan.h"
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

}  // namespace sluice::valve
