#include "tests/sim/foresight.h"

#include <doctest/doctest.h>

#include "tests/sim/synthetic.h"

using namespace sluice;
using namespace sluice::sim;

namespace {

constexpr EngineLaw kTwoCards{{0.012794, 0.0002075, 4.096e-8, 0.0004029}, 192, 394058, 256};
constexpr Level kLevel{2.0, 0.1};

Trace busy(uint64_t seed) { return dilated(code_like(2.5, 600, seed), kTwoCards.work, 1.2); }

}  // namespace

TEST_CASE("exact engine: one request takes the steps of its chunks and of its tokens") {
  // Three steps of prefill (192 + 192 + 16 tokens), then one token a step with one more in memory.
  const double prefill = 3 * 0.012794 + 400 * 0.0004029;
  const double decode = 0.012794 + 0.0002075;
  const double kv = 4.096e-8;
  const double total = prefill + 2 * decode + kv * (401 + 402);
  for (const double late : {-1e-9, 1e-9}) {
    CAPTURE(late);
    const Level just{prefill + late, 1};
    CHECK(ExactEngine(kTwoCards, just).fits(5, 400, 3) == (late > 0));
    const Level pace{10, (total - prefill) / 2 + late};
    CHECK(ExactEngine(kTwoCards, pace).fits(5, 400, 3) == (late > 0));
  }
}

TEST_CASE("exact engine: who was said to fit keeps the level, and breaks nobody's") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    ExactEngine engine(kTwoCards, kLevel);
    int64_t served = 0;
    for (const Arrival& arrival : busy(seed)) {
      const double now = static_cast<double>(arrival.at_us) / 1e6;
      engine.advance(now);
      if (!engine.fits(now, arrival.prompt_tokens, arrival.output_tokens)) continue;
      engine.submit(now, arrival.prompt_tokens, arrival.output_tokens);
      ++served;
    }
    engine.finish();
    CAPTURE(seed);
    CHECK(served > 100);
    CHECK(engine.ended() == served);
    CHECK(engine.missed() == 0);
  }
}

TEST_CASE("exact engine: without asking whether they fit they miss") {
  ExactEngine engine(kTwoCards, kLevel);
  for (const Arrival& arrival : busy(1)) {
    engine.submit(static_cast<double>(arrival.at_us) / 1e6, arrival.prompt_tokens,
                  arrival.output_tokens);
  }
  engine.finish();
  CHECK(engine.missed() > 100);
}

TEST_CASE("exact engine: more context than its memory does not fit") {
  EngineLaw small = kTwoCards;
  small.kv_tokens = 1000;
  const ExactEngine engine(small, kLevel);
  CHECK(engine.fits(0, 500, 400));
  CHECK(!engine.fits(0, 500, 600));
  CHECK(!engine.fits(0, 1000, 1));
}

TEST_CASE("foresight: the search finds a cheaper plan that still keeps every level") {
  const Trace trace = busy(3);
  const PlayedPlan greedy = greedy_plan(trace, kTwoCards, kLevel);
  const PlayedPlan best = best_plan(trace, kTwoCards, kLevel, {.sweeps = 2});
  CHECK(greedy.missed == 0);
  CHECK(best.missed == 0);
  CHECK(best.cost < greedy.cost);
  CHECK(best.cost > 0);
  const PlayedPlan again = best_plan(trace, kTwoCards, kLevel, {.sweeps = 2});
  CHECK(again.cloud == best.cloud);
}
