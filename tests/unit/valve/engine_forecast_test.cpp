// Forecasts and waiting where the cost of an engine's steps is known.
#include "firmware/valve/engine_forecast.h"

#include <doctest/doctest.h>

#include <cmath>

#include "firmware/valve/words.h"
#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

// 10 ms a step, 0.1 ms a sequence, 0.4 ms a prompt token, 200 of these a step: 90 ms when full.
const StepModel kStep = {10e3, 100, 0, 400, 200, 64, 0};

NodeView known_node() {
  NodeView node = local_node(10);
  node.step = kStep;
  node.moment.decoding = 10;
  node.moment.kv = {10000};
  node.moment.spare = EngineMoment::kNobody;
  node.ttft_base = Duration();
  return node;
}

struct Case {
  View view = view_of({known_node(), cloud_node()});
  Policy policy;
  Ask ask = ask_for(view);
  NodeView& local() { return view.nodes[0]; }
  NodeView& cloud() { return view.nodes[1]; }
  Plan plan() { return decide(ask, view, policy, {}); }
  Forecast at_home() { return forecast(local(), ask, policy, view.now); }
};

}  // namespace

TEST_CASE("engine forecast: TTFT counts the steps that a prompt takes") {
  Case c;
  c.ask.prompt_tokens = {1000};  // 5 steps of 11 ms, and 400 ms of prefill
  CHECK(c.at_home().ttft == Duration::ms(455));
  c.ask.prompt_tokens = {1001};  // one more step
  CHECK(c.at_home().ttft == Duration::us(455'000 + 11'000 + 400));
  c.local().moment.step_left = Duration::ms(33);
  c.local().moment.prefill_left = {1000};
  CHECK(c.at_home().ttft.as_ms() == 33 + 11 * 11 + 800);
}

TEST_CASE("engine forecast: what is cached need not be computed") {
  Case c;
  c.ask.prompt_tokens = {10000};
  CHECK(c.plan().reason == Reason::local_ttft);
  c.local().cached = {9800};
  CHECK(c.at_home().ttft == Duration::ms(91));
  CHECK(c.plan().reason == Reason::local_fits);
}

TEST_CASE("engine forecast: the time that a request has waited counts, until it is lost") {
  Case c;
  c.ask.arrived = kNow - Duration::ms(1500);
  CHECK(c.at_home().ttft == Duration::ms(1955));
  c.ask.arrived = kNow - Duration::ms(2500);
  CHECK(c.at_home().ttft == Duration::ms(455));  // lost anyway: now it is as good as any other
}

TEST_CASE("engine forecast: TPOT lies between the step alone and the full step") {
  Case c;
  c.ask.prompt_tokens = {1};
  CHECK(c.at_home().tpot.as_ms() == 11);
  c.local().moment.duty = 0.5;
  CHECK(c.at_home().tpot.as_ms() == 22);
  c.local().moment.duty = 0.99;
  CHECK(c.at_home().tpot.as_ms() == 91);
}

TEST_CASE("engine forecast: the line is where the promise would be missed") {
  Case c;
  c.local().moment.duty = 1;
  c.ask.level.tpot_max = Duration::ms(95);
  CHECK(c.at_home().line == 50);  // 90 + 0.1 * 50
  c.local().moment.duty = 0;
  CHECK(c.at_home().line == 96);  // not 850: seen to bear 64 at once, believed half as many more
  c.local().slots = 30;
  CHECK(c.at_home().line == 30);
}

TEST_CASE("engine forecast: an engine whose chunk is too great says which would do") {
  CHECK(chunk_within(kStep, 20, 0, Duration::ms(100)) == 220);
  CHECK_FALSE(chunk_within(kStep, 2000, 0, Duration::ms(100)).has_value());
  CHECK(chunk_advice(kStep, 20, 0, Duration::ms(100), Language::en).empty());
  StepModel coarse = kStep;
  coarse.chunk_tokens = 2048;
  const std::string en = chunk_advice(coarse, 20, 0, Duration::ms(100), Language::en);
  CHECK(en.find("831 ms") != std::string::npos);
  CHECK(en.find("at most 220 tokens") != std::string::npos);
  const std::string zh = chunk_advice(coarse, 20, 0, Duration::ms(100), Language::zh);
  CHECK(zh.find("220") != std::string::npos);
  CHECK(chunk_advice(coarse, 2000, 0, Duration::ms(100), Language::en).find("no smaller") !=
        std::string::npos);
}

TEST_CASE("late binding: what would queue in the engine waits here while the cloud is in reach") {
  Case c;
  c.local().moment.prefill_left = {2000};  // 0.8 s, more than a quarter of the promise
  const Plan plan = c.plan();
  CHECK(plan.verdict == Verdict::hold);
  CHECK(plan.reason == Reason::waits_for_place);
  CHECK(plan.decide_by > kNow);
  CHECK(plan.decide_by <= kNow + Duration::seconds(2) - c.cloud().ttft_base);
  c.policy.hold = false;
  CHECK(c.plan().verdict == Verdict::send);
}

TEST_CASE("late binding: at the last safe moment it goes, home if it still fits") {
  Case c;
  c.local().moment.prefill_left = {2000};
  c.ask.prompt_tokens = {200};
  c.ask.arrived = kNow - Duration::ms(800);
  CHECK(c.plan().verdict == Verdict::hold);
  c.cloud().ttft_base = Duration::ms(1100);  // now the cloud is only just in reach
  CHECK(c.plan().reason == Reason::local_fits);
  c.ask.prompt_tokens = {2000};
  CHECK(c.plan().reason == Reason::local_ttft);
}

TEST_CASE("late binding: nobody is sent who would make another late") {
  Case c;
  c.local().moment.spare = Duration::ms(-10);
  CHECK(c.plan().reason == Reason::waits_for_place);
  c.local().moment.spare = Duration::ms(-500);  // late whatever is done: no reason to wait
  CHECK(c.plan().reason == Reason::local_fits);
  c.local().moment.spare = Duration::ms(10);
  CHECK(c.plan().reason == Reason::local_fits);
}

TEST_CASE("late binding: who comes later does not go before those who wait") {
  Case c;
  c.view.held = 2;
  c.view.held_prompt = {1000};
  CHECK(c.plan().reason == Reason::waits_for_place);
  c.view.held_prompt = {9000};  // behind them it would be late: overflow before it misses
  CHECK(c.plan().reason == Reason::local_ttft);
}

TEST_CASE("rescue: a stream that is sent home says until when the cloud could take it") {
  Case c;
  const Plan plan = c.plan();
  CHECK(plan.reason == Reason::local_fits);
  CHECK(plan.rescue_at > kNow);
  CHECK(plan.rescue_at < kNow + Duration::seconds(2) - c.cloud().ttft_base);
  c.ask.stream = false;
  CHECK(c.plan().rescue_at == kNever);
  c.ask.stream = true;
  c.ask.stays_home = true;
  CHECK(c.plan().rescue_at == kNever);
}

TEST_CASE("engine forecast: noise makes each request's forecast wrong, always by the same") {
  Case c;
  const Duration right = c.at_home().ttft;
  c.policy.forecast_noise = 0.3;
  double sum = 0;
  for (uint64_t id = 1; id <= 2000; ++id) {
    c.ask.id = id;
    const double factor = c.at_home().ttft / right;
    sum += std::log(factor) * std::log(factor);
    CHECK(c.at_home().ttft / right == factor);
  }
  CHECK(std::sqrt(sum / 2000) == doctest::Approx(0.3).epsilon(0.1));
}
