#include "firmware/rehearse/rehearsal.h"

#include <doctest/doctest.h>

#include "firmware/rehearse/score.h"

using namespace sluice;
using namespace sluice::rehearse;

namespace {

// 20 ms a step and 0.2 ms for each sequence; 2,500 prompt tokens a second, 200 in a step.
EngineSpec engine() {
  EngineSpec spec;
  spec.step.base_us = 20'000;
  spec.step.per_seq_us = 200;
  spec.step.per_kv_token_us = 0.04;
  spec.step.prefill_us_per_token = 400;
  spec.step.chunk_tokens = 200;
  spec.step.sequences_max = 64;
  spec.slots = 64;
  return spec;
}

Site site_of(bool with_cloud) {
  Site site;
  SiteNode here;
  here.profile.name = "here";
  here.profile.untried_concurrency = 32;
  here.profile.concurrency_limit = engine().slots;
  here.service = engine();
  site.nodes.push_back(here);
  if (!with_cloud) return site;
  SiteNode cloud;
  cloud.profile.name = "cloud";
  cloud.profile.place = valve::Place::cloud;
  cloud.profile.price_in_nano = 1000;
  cloud.profile.price_out_nano = 4000;
  cloud.service = SteadyNode();
  site.nodes.push_back(cloud);
  return site;
}

// `count` requests, one each `gap_us`, in bursts.
Trace bursts(int64_t count, int64_t gap_us, int64_t burst = 5) {
  Trace trace;
  for (int64_t i = 0; i < count; ++i) {
    trace.push_back(
        {i / burst * burst * gap_us, static_cast<uint32_t>(i % 3), 800 + i % 7 * 200, 100, {}});
  }
  return trace;
}

Score play(const Trace& trace, const Site& site, const char* name) {
  const auto contender = contender_named(name, valve::Policy());
  REQUIRE(contender.has_value());
  const auto outcomes = Rehearsal::play(trace, site, *contender);
  REQUIRE(outcomes.has_value());
  return score(trace, *outcomes, site);
}

}  // namespace

TEST_CASE("rehearsal: one request takes as long as its steps") {
  Site site = site_of(false);
  const auto contender = contender_named("local-only", valve::Policy());
  const auto outcomes = Rehearsal::play({{0, 0, 400, 11, {}}}, site, *contender);
  REQUIRE(outcomes.has_value());
  REQUIRE(outcomes->at(0).served);
  // Two steps with a chunk each, then ten with one sequence of 401 tokens and more.
  CHECK(outcomes->at(0).ttft == Duration::ms(200));
  CHECK(outcomes->at(0).tpot.as_us() == 20'000 + 200 + 16);
}

TEST_CASE(
    "rehearsal: overload is kept by ours at a part of the cost, and by local-only not at all") {
  const Trace trace = bursts(1500, 250'000);
  const Site site = site_of(true);
  CHECK(offered_load(trace, work_law(engine().step)) > 2);
  const Score ours = play(trace, site, "balanced");
  CHECK(ours.served == 1500);
  CHECK(ours.kept_share() >= 0.98);
  CHECK(ours.cost_share() > 0.4);
  CHECK(ours.cost_share() < 0.75);
  const Score local = play(trace, site, "local-only");
  CHECK(local.kept_share() < 0.1);
  CHECK(local.cost.nano == 0);
  const Score cloud = play(trace, site, "cloud-only");
  CHECK(cloud.kept == 1500);
  CHECK(cloud.cost == cloud.all_cloud);
  CHECK(cloud.cloud_share() == 1);
  CHECK(cloud.tpot_p99 == Duration::ms(25));
}

TEST_CASE("rehearsal: what fits stays home under ours, whatever the goal") {
  const Trace trace = bursts(200, 2'000'000, 1);
  for (const char* name : {"cost", "balanced", "home-first"}) {
    CAPTURE(name);
    const Score ours = play(trace, site_of(true), name);
    CHECK(ours.kept == 200);
    CHECK(ours.cloud == 0);
  }
}

TEST_CASE("rehearsal: without a cloud everything is served in time or told as missed") {
  const Score alone = play(bursts(300, 250'000), site_of(false), "balanced");
  CHECK(alone.requests == 300);
  CHECK(alone.all_cloud.nano == 0);
  CHECK(alone.kept < alone.requests);
  CHECK(alone.kept <= alone.served);
}

TEST_CASE("rehearsal: every contender ends, and the same play gives the same outcome twice") {
  const Trace trace = bursts(150, 250'000);
  const Site site = site_of(true);
  const auto all = all_contenders(valve::Policy());
  CHECK(all.size() == 13);
  for (const Contender& contender : all) {
    CAPTURE(contender.name);
    const auto once = Rehearsal::play(trace, site, contender);
    const auto again = Rehearsal::play(trace, site, contender);
    REQUIRE(once.has_value());
    REQUIRE(again.has_value());
    const Score a = score(trace, *once, site);
    const Score b = score(trace, *again, site);
    CHECK(a.kept == b.kept);
    CHECK(a.cost == b.cost);
    CHECK(a.ttft_p99 == b.ttft_p99);
    CHECK(a.requests == 150);
  }
}

TEST_CASE("rehearsal: short memory costs time, not answers") {
  Site site = site_of(false);
  EngineSpec small = engine();
  small.kv_max.count = 3000;
  site.nodes[0].service = small;
  const Trace trace = bursts(20, 100'000);
  const Score tight = play(trace, site, "local-only");
  const Score wide = play(trace, site_of(false), "local-only");
  CHECK(tight.served == 20);
  CHECK(tight.ttft_p99 > wide.ttft_p99);
  // What can never fit is not served, and the play ends.
  CHECK(play({{0, 0, 4000, 1, {}}}, site, "local-only").served == 0);
}

TEST_CASE("engine: a prompt waits until something of the chunk is left for it") {
  Engine one(engine());
  for (uint32_t i = 0; i < 3; ++i) REQUIRE(one.submit(i, 300, 5, Instant()));
  CHECK(one.running() == 1);
  CHECK(one.waiting() == 2);
  CHECK(*one.step_end() == Instant() + Duration::ms(100));
  CHECK(one.finish_step().firsts.empty());
  CHECK(one.running() == 2);  // 100 of the first, 100 of the second
  CHECK(one.finish_step().firsts == std::vector<uint32_t>{0});
  one.cancel(1);
  one.cancel(2);
  CHECK(one.running() == 1);
  CHECK(one.waiting() == 0);
}

TEST_CASE("contenders: a name that is none is refused with those that there are") {
  const auto wrong = contender_named("best", valve::Policy());
  REQUIRE(!wrong.has_value());
  CHECK(wrong.error().text.find("choose among cost, balanced") != std::string::npos);
  const auto numbered = contender_named("static-threshold=48", valve::Policy());
  REQUIRE(numbered.has_value());
  CHECK(numbered->policy.rule_concurrency == 48);
  CHECK(numbered->name == "static-threshold=48");
  CHECK(!contender_named("round-robin=2", valve::Policy()).has_value());
  CHECK(!contender_named("queue-kv=x", valve::Policy()).has_value());
}
