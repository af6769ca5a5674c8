// The cards' units and formulas, against the figures that were published with them.
#include <doctest/doctest.h>

#include "tests/sim/card.h"
#include "tests/testbed/engine_model.h"

namespace sluice::sim {

namespace {

constexpr double kPrompt = 1024;
constexpr double kAnswer = 1024;
constexpr double kStepAt15Tps = 66.7;  // ms

// The rate of one user's tokens when `users` ask again and again; the first round is not counted.
double closed_loop_tps(const testbed::StepCost& cost, int users) {
  constexpr int64_t kRounds = 5;
  testbed::EngineModel engine(cost);
  for (int i = 0; i < users; ++i) {
    // Out of step with one another, as users are.
    engine.submit(0, static_cast<uint64_t>(i), 1024, 1 + 1023 * (i + 1) / users);
  }
  int64_t tokens = 0;
  int64_t finished = 0;
  std::vector<testbed::EngineEvent> events;
  testbed::Micros now = 0;
  testbed::Micros began = 0;
  while (finished < kRounds * users) {
    now = *engine.next_event();
    engine.advance(now);
    engine.take_events(events);
    for (const testbed::EngineEvent& event : events) {
      using Kind = testbed::EngineEvent::Kind;
      tokens += event.kind == Kind::token || event.kind == Kind::first_token ? 1 : 0;
      if (event.kind != Kind::finished) continue;
      if (++finished == users) {
        tokens = 0;
        began = now;
      }
      engine.submit(now, event.id, 1024, 1024);
    }
  }
  return static_cast<double>(tokens) / testbed::to_seconds(now - began) / users;
}

}  // namespace

TEST_CASE("cards: a1 + a2 (P + L/2) + p P/L is the published slope") {
  REQUIRE(all_cards().size() == 17);
  for (const Card& card : all_cards()) {
    CAPTURE(card.name);
    const testbed::StepCost& cost = card.cost;
    const double kv_ms = cost.kv_us_per_ktok / 1000 * (kPrompt + kAnswer / 2) / 1000;
    const double prefill_ms = 1000 / cost.prefill_tps * kPrompt / kAnswer;
    CHECK(cost.per_seq_ms + kv_ms + prefill_ms == doctest::Approx(card.kappa_ms).epsilon(0.0005));
    const double users = (kStepAt15Tps - cost.base_ms) / card.kappa_ms;
    CHECK(users == doctest::Approx(card.users_at_15_tps).epsilon(0.005));
  }
}

TEST_CASE("cards: the engine in a closed loop gives each user the rate of the fit") {
  for (const char* name : {"H20x1", "H20x2", "H20x4", "V100x4"}) {
    CAPTURE(name);
    const testbed::StepCost cost = card_named(name, 2048, 512);
    double kappa = 0;
    for (const Card& card : all_cards()) kappa = card.name == name ? card.kappa_ms : kappa;
    for (const int users : {4, 16}) {
      const double expected = 1000 / (cost.base_ms + kappa * users);
      CHECK(closed_loop_tps(cost, users) == doctest::Approx(expected).epsilon(0.05));
    }
  }
}

}  // namespace sluice::sim
