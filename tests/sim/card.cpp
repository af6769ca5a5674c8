#include "tests/sim/card.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "firmware/base/check.h"

namespace sluice::sim {

namespace {

constexpr int64_t kKvWhereUnknown = 1'000'000;

Card read_card(const nlohmann::json& row) {
  Card card;
  card.name = row.at("card").get<std::string>() + "x" + std::to_string(row.at("n").get<int>());
  card.kappa_ms = row.at("kappa").get<double>();
  card.users_at_15_tps = row.at("N15").get<int>();
  testbed::StepCost& cost = card.cost;
  cost.curve = testbed::StepCost::Curve::fitted;
  cost.base_ms = row.at("a0").get<double>();
  cost.per_seq_ms = row.at("a1").get<double>();
  cost.kv_us_per_ktok = row.at("a2_us_per_ktok").get<double>();
  cost.prefill_tps = 1000.0 / row.at("p").get<double>();
  cost.kv_tokens = row.at("kv").is_null() ? kKvWhereUnknown : row.at("kv").get<int64_t>();
  return card;
}

std::vector<Card> read_cards() {
  std::ifstream file(SLUICE_CARDS);  // by the build: a simulation is started from any folder
  ENSURE(file.good());
  std::vector<Card> cards;
  for (const nlohmann::json& row : nlohmann::json::parse(file)) cards.push_back(read_card(row));
  return cards;
}

}  // namespace

const std::vector<Card>& all_cards() {
  static const std::vector<Card> cards = read_cards();
  return cards;
}

testbed::StepCost card_named(std::string_view name, int64_t chunk_tokens, int max_num_seqs) {
  const std::vector<Card>& cards = all_cards();
  const auto found = std::find_if(cards.begin(), cards.end(),
                                  [name](const Card& card) { return card.name == name; });
  ENSURE(found != cards.end());
  testbed::StepCost cost = found->cost;
  cost.chunk_tokens = chunk_tokens;
  cost.max_num_seqs = max_num_seqs;
  cost.admits_by_chunk = true;
  return cost;
}

}  // namespace sluice::sim
