#include "tests/testbed/engine_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace sluice::testbed;
using Kind = EngineEvent::Kind;

namespace {

std::vector<EngineEvent> run_to_end(EngineModel& model) {
  std::vector<EngineEvent> all;
  while (const auto next = model.next_event()) {
    model.advance(*next);
    const auto events = model.take_events();
    all.insert(all.end(), events.begin(), events.end());
  }
  return all;
}

// N users, each with the next request a millisecond after the last; the mean time of the second
// and later requests.
double closed_loop_seconds(const StepCost& cost, int users, int rounds) {
  EngineModel model(cost);
  std::map<Micros, int> next_start;
  std::map<RequestId, Micros> started;
  RequestId last_id = 0;
  int starts = 0;
  double total = 0;
  int counted = 0;
  for (int i = 0; i < users; ++i) next_start[i * 700] = 1;
  while (!next_start.empty() || model.next_event()) {
    const auto step = model.next_event();
    if (!next_start.empty() && (!step || next_start.begin()->first <= *step)) {
      const auto [at, count] = *next_start.begin();
      next_start.erase(next_start.begin());
      for (int i = 0; i < count; ++i, ++starts) {
        started[++last_id] = at;
        REQUIRE(model.submit(at, last_id, 100, 50));
      }
    } else {
      model.advance(*step);
    }
    for (const EngineEvent& event : model.take_events()) {
      if (event.kind != Kind::finished) continue;
      if (event.id > static_cast<RequestId>(users)) {
        total += to_seconds(event.at - started[event.id]);
        ++counted;
      }
      if (starts + static_cast<int>(next_start.size()) < users * rounds) {
        ++next_start[event.at + 1000];
      }
    }
  }
  return total / counted;
}

Micros first_token_of(const std::vector<EngineEvent>& events, RequestId id) {
  const auto found = std::find_if(events.begin(), events.end(), [id](const EngineEvent& event) {
    return event.kind == Kind::first_token && event.id == id;
  });
  REQUIRE(found != events.end());
  return found->at;
}

}  // namespace

TEST_CASE("engine model: the report case takes 42, 42, 72 and 308 s at 1, 35, 60 and 100") {
  const StepCost cost = *step_cost_named("report-case");
  CHECK(closed_loop_seconds(cost, 1, 4) == doctest::Approx(42).epsilon(0.03));
  CHECK(closed_loop_seconds(cost, 35, 4) == doctest::Approx(42).epsilon(0.03));
  CHECK(closed_loop_seconds(cost, 60, 4) == doctest::Approx(72).epsilon(0.03));
  CHECK(closed_loop_seconds(cost, 100, 4) == doctest::Approx(308.4).epsilon(0.03));
  CHECK(report_case_seconds(140) == doctest::Approx(140 * 1.2 * 2.57));
}

TEST_CASE("engine model: compressed time is divided, the cloud does not care for concurrency") {
  StepCost cost = *step_cost_named("cloud");
  cost.compress = 20;
  CHECK(closed_loop_seconds(cost, 1, 4) == doctest::Approx(2.1).epsilon(0.03));
  CHECK(closed_loop_seconds(cost, 300, 3) == doctest::Approx(2.1).epsilon(0.03));
}

TEST_CASE("engine model: a step costs its base, its sequences and its prefill") {
  EngineModel model(StepCost{});
  REQUIRE(model.submit(1000, 1, 800, 3));
  const auto events = run_to_end(model);
  REQUIRE(events.size() == 5);
  CHECK(events[0].kind == Kind::admitted);
  CHECK(events[1].kind == Kind::first_token);
  CHECK(events[1].at == 1000 + 6350 + 100000);
  CHECK(events[2].at == events[1].at + 6350);
  CHECK(events[3].at == events[2].at + 6350);
  CHECK(events[4].kind == Kind::finished);
  CHECK(events[4].at == events[3].at);
}

TEST_CASE("engine model: the first token waits for the backlog of prefill before it") {
  EngineModel model(StepCost{});
  const int requests = 10;
  const std::int64_t prompt = 4096;
  for (RequestId id = 1; id <= requests; ++id) REQUIRE(model.submit(0, id, prompt, 100));
  const auto events = run_to_end(model);
  // TTFT = backlog * (p + s_d / chunk), s_d with the sequences that decode meanwhile.
  const double backlog = static_cast<double>(requests * prompt);
  const double low = backlog * (1 / 8000.0 + 0.006 / 2048);
  const double high = backlog * (1 / 8000.0 + (0.006 + 0.00035 * requests) / 2048);
  const double ttft = to_seconds(first_token_of(events, requests));
  CHECK(ttft >= low);
  CHECK(ttft <= high * 1.001);
}

TEST_CASE("engine model: no more than max_num_seqs run, the others wait in order") {
  StepCost cost;
  cost.max_num_seqs = 2;
  EngineModel model(cost);
  for (RequestId id = 1; id <= 5; ++id) REQUIRE(model.submit(0, id, 10, 4));
  model.advance(10000);
  CHECK(model.running() == 2);
  CHECK(model.waiting() == 3);
  const auto events = run_to_end(model);
  CHECK(first_token_of(events, 3) <= first_token_of(events, 4));
  CHECK(first_token_of(events, 4) < first_token_of(events, 5));
}

TEST_CASE(
    "engine model: who waits for room in the chunk is late by nothing, but counts as waiting") {
  std::vector<Micros> firsts;
  std::vector<int> waiting;
  for (const bool by_chunk : {false, true}) {
    StepCost cost;
    cost.curve = StepCost::Curve::fitted;
    cost.chunk_tokens = 512;
    cost.admits_by_chunk = by_chunk;
    EngineModel model(cost);
    for (RequestId id = 1; id <= 6; ++id) REQUIRE(model.submit(0, id, 700, 5));
    model.advance(100'000);  // the second's prompt is being computed
    waiting.push_back(model.waiting());
    const auto events = run_to_end(model);
    for (RequestId id = 3; id <= 6; ++id) firsts.push_back(first_token_of(events, id));
  }
  CHECK(waiting == std::vector<int>{0, 4});
  CHECK(std::vector(firsts.begin(), firsts.begin() + 4) ==
        std::vector(firsts.begin() + 4, firsts.end()));
}

TEST_CASE("engine model: when KV memory is short the youngest is preempted and still completes") {
  StepCost cost;
  cost.kv_tokens = 300;
  EngineModel model(cost);
  REQUIRE(model.submit(0, 1, 100, 100));
  REQUIRE(model.submit(0, 2, 100, 100));
  const auto events = run_to_end(model);
  CHECK(model.preemptions() >= 1);
  std::map<RequestId, std::int64_t> tokens;
  for (const EngineEvent& event : events) {
    if (event.kind == Kind::preempted) CHECK(event.id == 2);
    if (event.kind != Kind::first_token && event.kind != Kind::token) continue;
    CHECK(event.index == tokens[event.id]);
    ++tokens[event.id];
  }
  CHECK(tokens[1] == 100);
  CHECK(tokens[2] == 100);
  CHECK(model.kv_usage() == 0);
}

TEST_CASE("engine model: what can never fit is not accepted") {
  StepCost cost;
  cost.kv_tokens = 300;
  EngineModel model(cost);
  CHECK_FALSE(model.submit(0, 1, 250, 51));
  CHECK(model.submit(0, 2, 250, 50));
  CHECK(run_to_end(model).back().kind == Kind::finished);
}

TEST_CASE("engine model: a cancelled request yields nothing more and frees its place at once") {
  StepCost cost;
  cost.max_num_seqs = 1;
  EngineModel model(cost);
  REQUIRE(model.submit(0, 1, 10, 1000));
  REQUIRE(model.submit(0, 2, 10, 3));
  model.cancel(50000, 1);
  CHECK(model.running() == 0);
  CHECK(model.kv_usage() == 0);
  for (const EngineEvent& event : run_to_end(model)) CHECK(event.id == 2);
  model.cancel(60000, 77);
  CHECK_FALSE(model.next_event().has_value());
}

TEST_CASE("engine model: advancing late gives the same times as advancing in time") {
  EngineModel prompt_one(StepCost{});
  EngineModel late(StepCost{});
  for (EngineModel* model : {&prompt_one, &late}) {
    for (RequestId id = 1; id <= 20; ++id) REQUIRE(model->submit(0, id, 100 * id, 5 * id));
  }
  const auto expected = run_to_end(prompt_one);
  late.advance(1'000'000'000);
  const auto got = late.take_events();
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i].id == expected[i].id);
    CHECK(got[i].at == expected[i].at);
  }
}
