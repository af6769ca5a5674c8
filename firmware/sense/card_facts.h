// What a calibration found out about a node's engine, and the file in which that is kept: what is
// believed of the engine before it has been seen at work.
// A card holds for the node's name, address and model together: another engine is another card.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/ports/json.h"
#include "firmware/valve/step_model.h"

namespace sluice::sense {

inline constexpr size_t kCardsMax = 64;
inline constexpr size_t kCardLevelsMax = 16;
inline constexpr Bytes kCardFileMax{512 * 1024};

// So many requests at a time, each answered to its end.
struct CardLevel {
  int concurrency = 0;
  double output_tps = 0;  // answer tokens a second, of all together
  Duration ttft_p50;
  Duration ttft_max;
  Duration tpot_mean;
  bool operator==(const CardLevel&) const = default;
};

struct CardFacts {
  std::string node;
  std::string url;
  std::string model;  // as the node calls it
  Date measured;
  Tokens prompt;  // of each request of a level
  Tokens output;
  valve::StepModel step;
  bool chunk_is_at_least = false;  // the longest prompt tried was computed in one step
  std::vector<CardLevel> levels;
  std::string ended;  // why the climb ended where it did
  bool operator==(const CardFacts&) const = default;
};

ports::JsonValue card_json(const CardFacts& card);
// Errors: broken, with what is wrong.
Result<CardFacts> card_of(const ports::JsonValue& json);

std::string write_cards(const std::vector<CardFacts>& cards);
Result<std::vector<CardFacts>> read_cards(std::string_view text);

// In the place of an older card of the same node; of too many the oldest goes.
void keep_card(std::vector<CardFacts>& cards, CardFacts card);

}  // namespace sluice::sense
