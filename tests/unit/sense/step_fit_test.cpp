// What is learned of an engine's steps from nothing but the times of its tokens.
#include "firmware/sense/step_fit.h"

#include <doctest/doctest.h>

#include "tests/unit/sense/step_engine.h"

using namespace sluice;
using namespace sluice::sense;

namespace {

// H20 x 2 and x 4 with a 32B model, as fitted to published figures.
const valve::StepModel kTwoCards = {12794, 207.5, 0.04096, 402.9, 192, 0, 0};
const valve::StepModel kFourCards = {7677, 163, 0.02048, 201.5, 416, 0, 0};

NodeState local_node() {
  NodeProfile profile;
  profile.name = "here";
  profile.place = valve::Place::local;
  profile.models = {{"m", "m"}};
  return NodeState({0}, profile, SenseTimes());
}

// A load without a pattern: prompts and answers of many lengths, and steps with and without them.
// (Under a load that fills every step, a step and its prefill cannot be told apart, nor need be.)
class Load {
 public:
  explicit Load(uint64_t seed) : state_(seed * 2 + 1) {}
  void run_for(StepEngine& engine, NodeState& node, Duration time) {
    const Instant start = engine.now();
    while (engine.now() - start < time) run(engine, node, 10, 30);
  }
  void run(StepEngine& engine, NodeState& node, int steps, int streams_max) {
    for (int i = 0; i < steps; ++i) {
      if (engine.streams() < streams_max && draw(14) == 0) {
        engine.send(50 + draw(3000), 5 + draw(300));
      }
      if (engine.is_idle()) engine.send(50 + draw(3000), 5 + draw(300));
      engine.step();
      if (i % 8 == 0) node.learn(engine.now());
    }
    node.learn(engine.now());
  }

 private:
  int64_t draw(int64_t below) {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<int64_t>((state_ >> 33) % static_cast<uint64_t>(below));
  }
  uint64_t state_;
};

void check_close(const valve::StepModel& learned, const valve::StepModel& truth) {
  CHECK(learned.base_us == doctest::Approx(truth.base_us).epsilon(0.05));
  CHECK(learned.prefill_us_per_token == doctest::Approx(truth.prefill_us_per_token).epsilon(0.03));
  CHECK(static_cast<double>(learned.chunk_tokens) ==
        doctest::Approx(static_cast<double>(truth.chunk_tokens)).epsilon(0.03));
  for (const double sequences : {5.0, 30.0}) {
    const double kv = sequences * 1500;
    CHECK(learned.full_us(sequences, kv) ==
          doctest::Approx(truth.full_us(sequences, kv)).epsilon(0.03));
  }
}

}  // namespace

TEST_CASE("step fit: an engine is learned from its token times alone") {
  for (const valve::StepModel& truth : {kTwoCards, kFourCards}) {
    NodeState node = local_node();
    StepEngine engine(node, truth);
    Load(7).run(engine, node, 4000, 40);
    check_close(node.step_model(), truth);
  }
}

TEST_CASE("step fit: after half a minute of load the forecast is within a tenth") {
  NodeState node = local_node();
  StepEngine engine(node, kTwoCards);
  Load(3).run_for(engine, node, Duration::seconds(30));
  REQUIRE(node.step_model().is_known());
  CHECK(node.step_model().full_us(20, 30000) ==
        doctest::Approx(kTwoCards.full_us(20, 30000)).epsilon(0.1));
}

TEST_CASE("step fit: an engine that changes is learned anew in seconds") {
  NodeState node = local_node();
  StepEngine engine(node, kTwoCards);
  Load load(5);
  load.run(engine, node, 4000, 30);
  check_close(node.step_model(), kTwoCards);
  engine.restart(kFourCards);  // two more cards, another chunk
  load.run_for(engine, node, Duration::seconds(40));
  CHECK(node.step_model().full_us(20, 30000) ==
        doctest::Approx(kFourCards.full_us(20, 30000)).epsilon(0.1));
}

TEST_CASE("step fit: what a calibration found is believed at once, and corrected by the load") {
  NodeState node = local_node();
  node.set_card_facts(kFourCards);
  CHECK(node.step_model() == kFourCards);
  StepEngine engine(node, kTwoCards);
  Load(11).run(engine, node, 3000, 30);
  check_close(node.step_model(), kTwoCards);
}

TEST_CASE("step fit: without streams nothing is claimed") {
  NodeState node = local_node();
  StepEngine engine(node, kTwoCards);
  for (int i = 0; i < 200; ++i) {
    engine.send(500, 1);
    while (!engine.is_idle() && engine.streams() == 0) engine.step();
    while (!engine.is_idle()) engine.step();
    node.learn(engine.now());
  }
  CHECK_FALSE(node.step_model().is_known());
}

TEST_CASE("step fit: a prompt is in sight until the steps that it needs no longer fit") {
  NodeState node = local_node();
  node.set_card_facts(kTwoCards);
  StepEngine engine(node, kTwoCards);
  engine.send(3000, 10);  // 16 steps, 1.4 s: in time
  CHECK(node.is_in_sight(1, engine.now()));
  engine.send(3000, 10);  // as many again: not
  CHECK_FALSE(node.is_in_sight(2, engine.now()));
  while (engine.streams() == 0) engine.step();
  CHECK(node.is_in_sight(1, engine.now()));  // it is there
}
