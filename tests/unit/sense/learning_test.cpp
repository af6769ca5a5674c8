// What is learned from times as they pass: the curve, the first token, the recent past.
#include <doctest/doctest.h>

#include <cmath>

#include "firmware/sense/tpot_curve.h"
#include "firmware/sense/ttft_fit.h"
#include "firmware/sense/window.h"
#include "firmware/valve/forecast.h"
#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::sense;
using valve::samples::Dice;

namespace {

Instant at(int64_t seconds) { return Instant::from_us(seconds * 1'000'000); }

std::vector<valve::TpotPoint> learned(const std::vector<std::pair<int, int64_t>>& gaps_us,
                                      double weight = 20) {
  TpotCurve curve;
  for (const auto& [concurrency, us] : gaps_us) {
    curve.learn(concurrency, Duration::us(us), weight, at(1));
  }
  return curve.points(at(1));
}

// An engine that decodes 20 ms a token up to 35 at once, and 1.5 ms slower for each one more.
double profile_us(int concurrency) { return 20000 + 1500.0 * std::max(0, concurrency - 35); }

valve::NodeView engine(const TpotCurve& curve, Instant now) {
  valve::NodeView node;
  node.health = valve::Health::up;
  node.untried_concurrency = 4;
  node.tpot = curve.points(now);
  return node;
}

}  // namespace

TEST_CASE("tpot curve: a bucket is believed after enough gaps") {
  CHECK(learned({{4, 20000}}, 19).empty());
  const auto points = learned({{4, 20000}}, 20);
  REQUIRE(points.size() == 1);
  CHECK(points[0] == valve::TpotPoint{4, Duration::ms(20)});
}

TEST_CASE("tpot curve: small concurrencies have a bucket each, large ones share") {
  CHECK(learned({{1, 100}, {2, 200}, {15, 300}, {16, 400}}).size() == 4);
  const auto shared = learned({{100, 30000}, {101, 30000}});
  REQUIRE(shared.size() == 1);
  CHECK(shared[0].concurrency >= 100);
  CHECK(shared[0].concurrency <= 101);
  CHECK(learned({{100, 30000}, {120, 60000}}).size() == 2);
}

TEST_CASE("tpot curve: nonsense is not learned") {
  CHECK(learned({{0, 100}, {-5, 100}, {3, -1}}).empty());
  CHECK(learned({{3, 100}}, 0).empty());
  const auto huge = learned({{2'000'000'000, 5000}});
  REQUIRE(huge.size() == 1);
  CHECK(huge[0].concurrency == TpotCurve::kConcurrencyMax);
}

TEST_CASE("tpot curve: one stall is not a rate") {
  TpotCurve curve;
  for (int i = 0; i < 400; ++i) curve.learn(8, Duration::ms(20), 1, at(1));
  curve.learn(8, Duration::seconds(30), 1, at(1));
  CHECK(curve.points(at(1))[0].tpot < Duration::us(20300));
}

TEST_CASE("tpot curve: an engine that has changed is followed") {
  TpotCurve curve;
  for (int i = 0; i < 4000; ++i) curve.learn(8, Duration::ms(20), 1, at(1));
  for (int i = 0; i < 2000; ++i) curve.learn(8, Duration::ms(60), 1, at(2));
  CHECK(curve.points(at(2))[0].tpot > Duration::ms(59));
}

TEST_CASE("tpot curve: tokens that came in one piece do not stop the clock for good") {
  TpotCurve curve;
  for (int i = 0; i < 500; ++i) curve.learn(8, Duration(), 1, at(1));
  CHECK(curve.points(at(1))[0].tpot.is_zero());
  for (int i = 0; i < 4000; ++i) curve.learn(8, Duration::ms(20), 1, at(2));
  CHECK(curve.points(at(2))[0].tpot > Duration::ms(19));
}

TEST_CASE("tpot curve: what was not heard of for the memory's time is forgotten") {
  TpotCurve curve;
  curve.set_memory(Duration::seconds(60));
  curve.learn(4, Duration::ms(20), 100, at(0));
  curve.learn(5, Duration::ms(25), 100, at(30));
  CHECK(curve.points(at(60)).size() == 2);
  CHECK(curve.points(at(61)).size() == 1);
  CHECK(curve.points(at(91)).empty());
  curve.learn(4, Duration::ms(90), 20, at(100));
  CHECK_MESSAGE(curve.points(at(100))[0].tpot == Duration::ms(90), "it begins anew");
}

TEST_CASE("tpot curve: points never fall, and a fall is shared by those it lies between") {
  const auto points = learned({{1, 10000}, {2, 30000}, {3, 20000}, {4, 25000}, {5, 50000}});
  REQUIRE(points.size() == 5);
  CHECK(points[0].tpot == Duration::us(10000));
  for (const size_t i : {1u, 2u, 3u}) CHECK(points[i].tpot == Duration::us(25000));
  CHECK(points[4].tpot == Duration::us(50000));
  Dice dice(11);
  for (int round = 0; round < 200; ++round) {
    TpotCurve curve;
    for (int i = 0; i < 200; ++i) {
      curve.learn(1 + dice.small(300), Duration::us(dice.upto(90000)), 20, at(1));
    }
    const auto noisy = curve.points(at(1));
    CHECK(noisy.size() <= static_cast<size_t>(valve::kTpotPointsMax));
    for (size_t i = 1; i < noisy.size(); ++i) {
      CHECK(noisy[i].concurrency > noisy[i - 1].concurrency);
      CHECK(noisy[i].tpot >= noisy[i - 1].tpot);
    }
  }
}

TEST_CASE("tpot curve: a knee under noise is kept, and the line that it sets") {
  Dice dice(35);
  TpotCurve curve;
  for (int i = 0; i < 60000; ++i) {
    const int concurrency = 1 + dice.small(69);
    const double noise = 0.8 + 0.4 * dice.part();
    const auto gap = Duration::us(static_cast<int64_t>(profile_us(concurrency) * noise));
    curve.learn(concurrency, gap, 1, at(1));
  }
  const valve::NodeView node = engine(curve, at(1));
  CHECK(node.tpot.size() <= static_cast<size_t>(valve::kTpotPointsMax));
  for (int concurrency = 1; concurrency <= 68; ++concurrency) {
    CAPTURE(concurrency);
    const auto us = static_cast<double>(valve::tpot_at(node, concurrency).as_us());
    CHECK(us == doctest::Approx(profile_us(concurrency)).epsilon(0.06));
  }
  const valve::Policy policy;
  valve::Bound bound = valve::Bound::none;
  const int at_50 = valve::line_of(node, Duration::ms(50), policy, &bound);  // 35 + 30 / 1.5
  CHECK(bound == valve::Bound::tpot);
  CHECK(at_50 >= 53);
  CHECK(at_50 <= 57);
  const int at_30 = valve::line_of(node, Duration::ms(30), policy, nullptr);
  CHECK(at_30 >= 39);
  CHECK(at_30 <= 43);
}

TEST_CASE("tpot curve: a bend without a corner is kept too") {
  std::vector<std::pair<int, int64_t>> gaps;
  const auto bent = [](int c) { return 10000 + 2.0 * c * c; };
  for (int c = 1; c <= 400; ++c) gaps.push_back({c, static_cast<int64_t>(bent(c))});
  valve::NodeView node;
  node.tpot = learned(gaps);
  CHECK(node.tpot.size() <= static_cast<size_t>(valve::kTpotPointsMax));
  for (int c = node.tpot.front().concurrency; c <= node.tpot.back().concurrency; ++c) {
    CAPTURE(c);
    const auto us = static_cast<double>(valve::tpot_at(node, c).as_us());
    CHECK(us == doctest::Approx(bent(c)).epsilon(0.04));
  }
}

TEST_CASE("ttft fit: a base and a slope are told apart") {
  TtftFit fit;
  Dice dice(2);
  for (int i = 0; i < 200; ++i) {
    const int64_t tokens = dice.upto(8000);
    fit.learn({tokens}, Duration::us(30000 + 120 * tokens), at(1));
  }
  CHECK(fit.us_per_token() == doctest::Approx(120).epsilon(0.001));
  CHECK(fit.base(false, at(1)).as_us() == doctest::Approx(30000).epsilon(0.01));
}

TEST_CASE("ttft fit: prompts of one size tell no slope, a few tell nothing") {
  TtftFit fit;
  CHECK(fit.us_per_token() == 0);
  CHECK(fit.base(true, at(0)).is_zero());
  for (int i = 0; i < 7; ++i) fit.learn({i * 1000}, Duration::ms(i * 100), at(1));
  CHECK(fit.us_per_token() == 0);
  TtftFit alike;
  for (int i = 0; i < 100; ++i) alike.learn({1000 + i % 10}, Duration::ms(80), at(1));
  CHECK(alike.us_per_token() == 0);
  CHECK(alike.base(false, at(1)) == Duration::ms(80));
}

TEST_CASE("ttft fit: a queue inside the engine does not stick to the base") {
  TtftFit fit;
  for (int i = 0; i < 60; ++i) {
    fit.learn({100}, i % 2 == 0 ? Duration::ms(50) : Duration::seconds(4), at(i));
  }
  CHECK(fit.base(false, at(60)) == Duration::ms(50));
  fit.learn({100}, Duration::ms(20), at(60));
  CHECK_MESSAGE(fit.base(true, at(60)) == Duration::ms(20), "idle: the least");
  CHECK(fit.base(false, at(60)) == Duration::ms(50));
}

TEST_CASE("ttft fit: more tokens never take less time, and old times are forgotten") {
  TtftFit fit;
  fit.set_memory(Duration::seconds(10));
  for (int i = 0; i < 50; ++i) fit.learn({i * 100}, Duration::ms(1000 - i * 10), at(1));
  CHECK(fit.us_per_token() > 0);  // measured, and too little to be seen
  CHECK(fit.us_per_token() < 1);
  CHECK_FALSE(fit.base(false, at(11)).is_zero());
  CHECK(fit.base(false, at(12)).is_zero());
}

TEST_CASE("window: quantiles by nearest rank, of what is young enough") {
  Window window;
  CHECK_FALSE(window.quantile(0.5, at(0)).has_value());
  for (int i = 1; i <= 5; ++i) window.add(Duration::ms(i * 10), at(i));
  CHECK(window.quantile(0, at(5)) == Duration::ms(10));
  CHECK(window.quantile(0.5, at(5)) == Duration::ms(30));
  CHECK(window.quantile(1, at(5)) == Duration::ms(50));
  CHECK(window.quantile(7, at(5)) == Duration::ms(50));
  CHECK(window.quantile(-1, at(5)) == Duration::ms(10));
  CHECK_MESSAGE(window.quantile(0, at(13)) == Duration::ms(30), "1 and 2 are older than 10 s");
  CHECK_FALSE(window.quantile(0.5, at(16)).has_value());
}

TEST_CASE("window: it holds a bounded number of observations, the latest") {
  Window window;
  for (int i = 0; i < 600; ++i) window.add(Duration::ms(i), at(1));
  CHECK(window.quantile(0, at(1)) == Duration::ms(600 - 512));
  CHECK(window.quantile(1, at(1)) == Duration::ms(599));
}
