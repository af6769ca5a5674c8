// A calibrated node for people: its curves in plain text, 80 columns, and what was learnt in words.
#pragma once

#include <string>

#include "firmware/sense/card_facts.h"

namespace sluice::box {

struct PromisedLevel {
  Duration ttft_max = Duration::ms(2000);
  Duration tpot_max = Duration::ms(100);
};

// A line for each level: tokens a second, TPOT and TTFT with their bars; "!" beyond the promise.
std::string calibration_chart(const sense::CardFacts& card, const PromisedLevel& level);

// Steps, reading, and, if the engine's chunk makes the service level unreachable, which one would
// not, with the options of common engines.
std::string calibration_words(const sense::CardFacts& card, const PromisedLevel& level);

}  // namespace sluice::box
