#include "firmware/valve/forecast.h"

#include <doctest/doctest.h>

#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

Forecast of(const NodeView& node, const Policy& policy = Policy()) {
  return forecast(node, ask_for(view_of({node})), policy, kNow);
}

Duration tpot_ms(int64_t ms) { return Duration::ms(ms); }

}  // namespace

TEST_CASE("forecast: the curve is straight between points and flat below the first") {
  const NodeView node = local_node();
  CHECK(tpot_at(node, 0) == tpot_ms(20));
  CHECK(tpot_at(node, 10) == tpot_ms(20));
  CHECK(tpot_at(node, 30) == tpot_ms(60));
  CHECK(tpot_at(node, 31) == tpot_ms(62));
  CHECK(tpot_at(node, 50) == tpot_ms(100));
}

TEST_CASE("forecast: beyond the last point the curve goes on with its last slope") {
  NodeView node = local_node();
  CHECK(tpot_at(node, 60) == tpot_ms(120));
  node.tpot = {point(10, 20), point(50, 100), point(51, 101)};
  CHECK_MESSAGE(tpot_at(node, 92) == tpot_ms(101 + 81), "two neighbours say nothing about a slope");
  node.tpot = {point(10, 20), point(50, 15)};
  CHECK_MESSAGE(tpot_at(node, 60) == tpot_ms(15), "a falling slope is not followed down");
  node.tpot = {point(10, 20)};
  CHECK(tpot_at(node, 60) == tpot_ms(20));
  node.tpot.clear();
  CHECK(tpot_at(node, 60).is_zero());
}

TEST_CASE("forecast: the line is the last concurrency that keeps the promise") {
  const NodeView node = local_node();
  Bound bound = Bound::none;
  CHECK(line_of(node, tpot_ms(80), Policy(), &bound) == 40);
  CHECK(bound == Bound::tpot);
  CHECK(line_of(node, Duration::us(79999), Policy(), &bound) == 39);
  CHECK(line_of(node, tpot_ms(20), Policy(), nullptr) == 10);
  Policy careful;
  careful.margin = 0.5;
  CHECK_MESSAGE(line_of(node, tpot_ms(80), careful, nullptr) == 20, "half of the promise is 40 ms");
}

TEST_CASE("forecast: an engine is trusted a little further than it was measured") {
  const NodeView node = local_node();
  Bound bound = Bound::none;
  CHECK(line_of(node, tpot_ms(1000), Policy(), &bound) == 50 + 1 + 3);  // 6 % of 50
  CHECK(bound == Bound::untried);
  CHECK(line_of(node, Duration(), Policy(), &bound) == 54);
  CHECK(bound == Bound::untried);
  NodeView fresh = local_node();
  fresh.tpot.clear();
  CHECK(line_of(fresh, tpot_ms(80), Policy(), &bound) == 8);
  CHECK(bound == Bound::untried);
  fresh.tpot = {point(3, 10)};
  CHECK_MESSAGE(line_of(fresh, tpot_ms(80), Policy(), nullptr) == 8, "never below the first trust");
}

TEST_CASE("forecast: slots are a line of their own where they are fewer") {
  NodeView node = local_node();
  node.slots = 16;
  Bound bound = Bound::none;
  CHECK(line_of(node, tpot_ms(80), Policy(), &bound) == 16);
  CHECK(bound == Bound::slots);
  node.slots = 41;
  CHECK(line_of(node, tpot_ms(80), Policy(), &bound) == 40);
  CHECK(bound == Bound::tpot);
}

TEST_CASE("forecast: in slow start the line is a share of itself, and at least one") {
  NodeView node = local_node();
  node.health = Health::slow_start;
  node.share = 0.5;
  CHECK(line_of(node, tpot_ms(80), Policy(), nullptr) == 20);
  node.share = 0.001;
  CHECK(line_of(node, tpot_ms(80), Policy(), nullptr) == 1);
  node.health = Health::up;
  CHECK_MESSAGE(line_of(node, tpot_ms(80), Policy(), nullptr) == 40, "a share is for slow start");
}

TEST_CASE("forecast: a cloud node that was never measured has no line") {
  const NodeView node = cloud_node();
  Bound bound = Bound::slots;
  CHECK(line_of(node, tpot_ms(80), Policy(), &bound) == 0);
  CHECK(bound == Bound::none);
  const Forecast f = of(node);
  CHECK(f.line == 0);
  CHECK(f.tpot.is_zero());
  CHECK(f.crowd_level == 0);
  CHECK(f.ttft == Duration::ms(450));
  CHECK(f.level == doctest::Approx(0.225));
  CHECK(f.bound == Bound::ttft);
}

TEST_CASE("forecast: a cloud curve is followed to twice what was measured") {
  NodeView node = cloud_node();
  node.tpot = {point(1, 30), point(20, 49)};  // 1 ms for each request more
  Bound bound = Bound::none;
  CHECK(line_of(node, tpot_ms(60), Policy(), &bound) == 31);
  CHECK(bound == Bound::tpot);
  CHECK_MESSAGE(line_of(node, tpot_ms(90), Policy(), &bound) == 0, "no limit within 40");
  CHECK(bound == Bound::none);
}

TEST_CASE("forecast: a node that claims absurd concurrency costs a short search") {
  NodeView node = cloud_node();
  node.tpot = {point(1, 1), point(2'000'000'000, 2)};
  CHECK(line_of(node, tpot_ms(80), Policy(), nullptr) == 0);
  node.untried_concurrency = 2'000'000'000;
  CHECK(line_of(node, tpot_ms(80), Policy(), nullptr) >= 2'000'000'000);
}

TEST_CASE("forecast: the level is the concurrency with this request against the line") {
  const Forecast below = of(local_node(19));
  CHECK(below.concurrency == 20);
  CHECK(below.line == 40);
  CHECK(below.level == doctest::Approx(0.5));
  CHECK(below.tpot == tpot_ms(40));
  CHECK(below.bound == Bound::tpot);
  const Forecast at = of(local_node(39));
  CHECK(at.level == 1.0);
  CHECK(of(local_node(40)).level > 1.0);
}

TEST_CASE("forecast: a running request with a stricter promise lowers the line for all") {
  NodeView node = local_node(10);
  node.strictest_tpot = tpot_ms(40);
  CHECK(of(node).line == 20);
  node.strictest_tpot = tpot_ms(200);
  CHECK(of(node).line == 40);
}

TEST_CASE("forecast: an engine too slow even when idle is above its line") {
  NodeView node = local_node(0);
  node.tpot = {point(1, 160), point(10, 200)};
  const Forecast f = of(node);
  CHECK(f.line == 1);
  CHECK(f.concurrency == 1);
  CHECK(f.level == doctest::Approx(2.0));
  CHECK(f.bound == Bound::tpot);
}

TEST_CASE("forecast: TTFT counts the prompt tokens ahead, its own too") {
  NodeView node = local_node(4);
  CHECK(of(node).ttft == Duration::ms(50 + 100));
  node.prefill_backlog = {9000};
  CHECK(of(node).ttft == Duration::ms(50 + 1000));
  node.prefill_us_per_token = 0;  // not measured: 2000 tokens a second are assumed
  CHECK(of(node).ttft == Duration::ms(50 + 5000));
  CHECK(of(node).bound == Bound::ttft);
  CHECK(of(node).level == doctest::Approx(5.05 / 2));
  CHECK(of(node).crowd_level == doctest::Approx(20.0 / 80));
}

TEST_CASE("forecast: whoever finds every slot taken waits for one to come free") {
  NodeView node = local_node(4);
  node.slots = 4;
  node.tpot.clear();
  node.untried_concurrency = 0;
  CHECK(of(node).ttft == Duration::ms(150 + 2000));  // 8 s for each of 4 slots, one ahead
  CHECK(of(node).concurrency == 5);
  node.in_flight = 3;
  CHECK(of(node).ttft == Duration::ms(150));
}

TEST_CASE("forecast: the engine's own queue shows its slots, while the reading is fresh") {
  NodeView node = local_node(6);
  node.others = 4;
  node.waiting = 2;  // of 10 present 8 run: 3 turns of 8 s over 8 slots
  node.leased_until = kNow;
  CHECK(of(node).ttft == Duration::ms(150 + 3000));
  CHECK(of(node).concurrency == 11);
  node.leased_until = kNow - Duration::us(1);
  CHECK_MESSAGE(of(node).ttft == Duration::ms(150), "an old reading is not used");
  CHECK(of(node).concurrency == 7);
}

TEST_CASE("forecast: the line lies where the curve first exceeds the promise, whatever its shape") {
  uint64_t seed = 7;
  const auto draw = [&seed](int below) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return static_cast<int>((seed >> 33) % static_cast<uint64_t>(below));
  };
  for (int round = 0; round < 2000; ++round) {
    NodeView node = local_node();
    node.tpot.clear();
    int at = 0;
    for (int points = 1 + draw(6); points > 0; --points) {
      node.tpot.push_back({at += 1 + draw(20), Duration::us(1000 + draw(3000))});
    }
    node.untried_concurrency = draw(2) * (1 + draw(200));
    const Duration wanted = Duration::us(900 + draw(4000));
    Bound bound = Bound::none;
    const int line = line_of(node, wanted, Policy(), &bound);
    const int trusted = line_of(node, Duration(), Policy(), nullptr);
    const int last = trusted > 0 ? trusted : 2 * node.tpot.back().concurrency;
    int fits = 0;
    while (fits < last && tpot_at(node, fits + 1) <= wanted) ++fits;
    CHECK(bound == (fits < last ? Bound::tpot : trusted > 0 ? Bound::untried : Bound::none));
    CHECK(line == (fits < last ? std::max(1, fits) : trusted));
  }
}
