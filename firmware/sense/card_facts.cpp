#include "firmware/sense/card_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sluice::sense {

using ports::JsonValue;

namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kTextMax = 2048;
constexpr double kMicrosMax = 1e9;  // of a step, of a token
constexpr int64_t kTokensMax = 100'000'000;

Error broken(std::string text) { return {ErrorKind::broken, "sense", std::move(text)}; }

bool is_sane(double value, double most) { return value >= 0 && value <= most; }

JsonValue level_json(const CardLevel& level) {
  return JsonValue::object({{"concurrency", level.concurrency},
                            {"output_tps", level.output_tps},
                            {"ttft_p50_us", level.ttft_p50.as_us()},
                            {"ttft_max_us", level.ttft_max.as_us()},
                            {"tpot_mean_us", level.tpot_mean.as_us()}});
}

Result<CardLevel> level_of(const JsonValue& json) {
  CardLevel level;
  const int64_t concurrency = json.integer("concurrency");
  if (concurrency < 1 || concurrency > 100000) return broken("a level has no concurrency");
  level.concurrency = static_cast<int>(concurrency);
  level.output_tps = json.number("output_tps");
  level.ttft_p50 = Duration::us(json.integer("ttft_p50_us"));
  level.ttft_max = Duration::us(json.integer("ttft_max_us"));
  level.tpot_mean = Duration::us(json.integer("tpot_mean_us"));
  return level;
}

Result<valve::StepModel> step_of(const JsonValue& json) {
  valve::StepModel step;
  step.base_us = json.number("base_us");
  step.per_seq_us = json.number("per_seq_us");
  step.per_kv_token_us = json.number("per_kv_token_us");
  step.prefill_us_per_token = json.number("prefill_us_per_token");
  step.chunk_tokens = json.integer("chunk_tokens");
  step.sequences_max = static_cast<int>(json.integer("sequences_max"));
  step.spread = json.number("spread");
  for (const double value :
       {step.base_us, step.per_seq_us, step.per_kv_token_us, step.prefill_us_per_token}) {
    if (!is_sane(value, kMicrosMax)) return broken("a time of its step is out of range");
  }
  const bool sane = is_sane(step.spread, 1e3) && step.chunk_tokens >= 0 &&
                    step.chunk_tokens <= kTokensMax && step.sequences_max >= 0;
  if (!sane) return broken("its step is out of range");
  return step;
}

}  // namespace

JsonValue card_json(const CardFacts& card) {
  JsonValue levels = JsonValue::array();
  for (const CardLevel& level : card.levels) levels.push(level_json(level));
  const valve::StepModel& step = card.step;
  return JsonValue::object({{"node", card.node},
                            {"url", card.url},
                            {"model", card.model},
                            {"measured_us", card.measured.as_us()},
                            {"prompt_tokens", card.prompt.count},
                            {"output_tokens", card.output.count},
                            {"base_us", step.base_us},
                            {"per_seq_us", step.per_seq_us},
                            {"per_kv_token_us", step.per_kv_token_us},
                            {"prefill_us_per_token", step.prefill_us_per_token},
                            {"chunk_tokens", step.chunk_tokens},
                            {"chunk_is_at_least", card.chunk_is_at_least},
                            {"sequences_max", step.sequences_max},
                            {"spread", step.spread},
                            {"levels", std::move(levels)},
                            {"ended", card.ended}});
}

Result<CardFacts> card_of(const JsonValue& json) {
  CardFacts card;
  card.node = json.text("node").substr(0, kTextMax);
  card.url = json.text("url").substr(0, kTextMax);
  card.model = json.text("model").substr(0, kTextMax);
  card.ended = json.text("ended").substr(0, kTextMax);
  if (card.node.empty()) return broken("a card names no node");
  card.measured = Date::from_us(json.integer("measured_us"));
  card.prompt = {json.integer("prompt_tokens")};
  card.output = {json.integer("output_tokens")};
  card.chunk_is_at_least = json.boolean("chunk_is_at_least");
  Result<valve::StepModel> step = step_of(json);
  if (!step) return broken(fmt::format("the card of {}: {}", card.node, step.error().text));
  card.step = *step;
  const JsonValue* levels = json.find("levels");
  if (levels == nullptr || levels->as_array() == nullptr ||
      levels->as_array()->size() > kCardLevelsMax) {
    return broken(fmt::format("the card of {} has no levels, or too many", card.node));
  }
  for (const JsonValue& member : *levels->as_array()) {
    Result<CardLevel> level = level_of(member);
    if (!level) return level.error();
    card.levels.push_back(*level);
  }
  return card;
}

std::string write_cards(const std::vector<CardFacts>& cards) {
  std::string text = fmt::format("{{\"version\":{},\"cards\":[", kVersion);
  for (const CardFacts& card : cards) {
    text += &card == cards.data() ? "\n" : ",\n";
    text += ports::to_json(card_json(card));
  }
  return text + "\n]}\n";
}

Result<std::vector<CardFacts>> read_cards(std::string_view text) {
  const Result<JsonValue> json = ports::parse_json(text);
  if (!json) return broken(json.error().text);
  if (json->integer("version") != kVersion) {
    return broken(fmt::format("its \"version\" is not {}; it may be of another release", kVersion));
  }
  const JsonValue* list = json->find("cards");
  if (list == nullptr || list->as_array() == nullptr || list->as_array()->size() > kCardsMax) {
    return broken(fmt::format("it has no list \"cards\", or one of more than {}", kCardsMax));
  }
  std::vector<CardFacts> cards;
  for (const JsonValue& member : *list->as_array()) {
    Result<CardFacts> card = card_of(member);
    if (!card) return card.error();
    cards.push_back(*std::move(card));
  }
  return cards;
}

void keep_card(std::vector<CardFacts>& cards, CardFacts card) {
  std::erase_if(cards, [&card](const CardFacts& one) { return one.node == card.node; });
  if (cards.size() >= kCardsMax) {
    cards.erase(std::min_element(
        cards.begin(), cards.end(),
        [](const CardFacts& a, const CardFacts& b) { return a.measured < b.measured; }));
  }
  cards.push_back(std::move(card));
}

}  // namespace sluice::sense
