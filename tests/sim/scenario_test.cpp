// Single stories whose end is known.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/sim/card.h"
#include "tests/sim/closed_loop.h"
#include "tests/sim/crowd.h"
#include "tests/sim/mishaps.h"

namespace sluice::sim {

namespace {

const std::vector<std::string> kNone;

SiteSpec gpu_and_cloud() {
  SiteSpec spec;
  spec.checks = true;
  spec.nodes = {local_engine("gpu", card_named("H20x2", 192)), token_cloud("cloud")};
  return spec;
}

// So that the engine is known: 120 ordinary requests, two a second.
void warm_up(Site& site) {
  Trace trace;
  for (int64_t i = 0; i < 120; ++i) trace.push_back({i * 500'000, 0, 200 + 7 * i, 120, {}});
  site.run(trace);
}

int64_t count_local(const Site& site, size_t from) {
  const auto& all = site.results();
  return std::count_if(all.begin() + static_cast<std::ptrdiff_t>(from), all.end(),
                       [](const RequestResult& result) { return result.node == 0; });
}

}  // namespace

// 40 prompts of 1,500 tokens are 24 s of prefill for this engine; what has been sent a moment ago
// has not shown in any reading when the next is decided.
TEST_CASE("scenario: a burst at one moment is not thrown at one engine") {
  Site site(gpu_and_cloud());
  warm_up(site);
  const size_t before = site.results().size();
  for (int i = 0; i < 40; ++i) site.open({0, 1500, 100});
  site.run_until_idle(Duration::seconds(600));
  const Tally sum = tally(std::span(site.results()).subspan(before), site.spec().level);
  CHECK(sum.served == 40);
  CHECK(sum.attainment() >= 0.5);
  CHECK(count_local(site, before) >= 1);  // it takes what it can
  CHECK(count_local(site, before) <= 24);
  CHECK(site.violations() == kNone);
}

TEST_CASE("scenario: data that may not leave waits at home for its turn and is served there") {
  SiteSpec spec = gpu_and_cloud();
  spec.keys.resize(2);
  spec.keys[1].data_class = identity::DataClass::home_only;
  Site site(spec);
  warm_up(site);
  const size_t before = site.results().size();
  size_t waited = 0;
  site.on_decision = [&waited](const valve::Decision& decision) {
    waited += decision.ask.stays_home && decision.plan.verdict == valve::Verdict::hold ? 1 : 0;
  };
  for (int i = 0; i < 40; ++i) site.open({1, 1500, 100});
  site.run_until_idle(Duration::seconds(600));
  const Tally sum = tally(std::span(site.results()).subspan(before), site.spec().level);
  CHECK(sum.served == 40);
  CHECK(count_local(site, before) == 40);
  CHECK(waited > 10);
  CHECK(sum.tpot_ms.p99 < 100);  // those that run are not crowded by those that wait
  CHECK(site.violations() == kNone);
}

TEST_CASE("scenario: a link that is out for a while costs the streams on it no byte") {
  Site site(gpu_and_cloud());
  Mishaps mishaps(site,
                  {{Mishap::Kind::link_out, 0, Duration::seconds(10), Duration::seconds(8), 0}});
  const uint32_t request = site.open({0, 100, 1500});  // about 20 s
  mishaps.start();
  site.run_until_idle(Duration::seconds(600));
  CHECK(site.results().at(request).is_served());
  CHECK(site.results().at(request).node == 0);
  CHECK(site.violations() == kNone);
}

TEST_CASE("scenario: an engine that dies takes its streams with it, and no other request") {
  Site site(gpu_and_cloud());
  warm_up(site);
  Mishaps mishaps(site, {{Mishap::Kind::down, 0, Duration::seconds(5), Duration::seconds(20), 0}});
  const size_t before = site.results().size();
  CrowdSpec spec;
  spec.length = Duration::seconds(40);
  spec.whole_share = 0;
  Crowd crowd(site, spec, Chance(1, "crowd"));
  crowd.start();
  mishaps.start();
  while (!crowd.is_over()) site.timers.leap();
  site.run_until_idle(Duration::seconds(60));
  const Tally sum = tally(std::span(site.results()).subspan(before), site.spec().level);
  int64_t cut = 0;
  for (size_t i = before; i < site.results().size(); ++i) {
    cut += site.results()[i].ending == SimClient::Ending::cut ? 1 : 0;
  }
  CHECK(sum.requests > 60);
  CHECK(cut >= 1);
  CHECK(sum.served == sum.requests - cut);
  CHECK(sum.in_cloud >= 10);
  CHECK(site.violations() == kNone);
}

namespace {

// Whoever waits longer than 30 s leaves and asks again at once: an engine that works on for those
// who left never gets out of it. How long it takes until all are served.
Duration storm_lasts(SiteSpec spec) {
  Site site(std::move(spec));
  CrowdSpec storm;
  storm.length = Duration::seconds(30);
  storm.per_second = 8;
  storm.prompt_max = 2000;
  storm.output_max = 400;
  storm.whole_share = 0;
  storm.patience = Duration::seconds(30);
  storm.retries_max = 100;
  Crowd crowd(site, storm, Chance(1, "crowd"));
  crowd.start();
  const Instant began = site.clock.now();
  while (!crowd.is_over() && site.clock.now() - began < Duration::seconds(7200)) {
    site.timers.leap();
  }
  const Duration lasted = site.clock.now() - began;
  CHECK(crowd.is_over());
  site.run_until_idle(Duration::seconds(60));
  CHECK(site.violations() == kNone);
  return lasted;
}

}  // namespace

TEST_CASE("scenario: a storm of retries ends within one timeout of the burst that began it") {
  SiteSpec spec = gpu_and_cloud();
  spec.nodes[0].service = card_named("H20x1", 192, 64);
  CHECK(storm_lasts(spec) < Duration::seconds(30 + 30));
}

TEST_CASE("scenario: without a cloud a storm of retries ends all the same") {
  SiteSpec spec = gpu_and_cloud();
  spec.nodes.pop_back();
  spec.nodes[0].service = card_named("H20x1", 192, 64);
  spec.proxy.queue_wait_max = Duration::seconds(120);
  // What is asked is about 210 s of work; some of it is begun in vain.
  CHECK(storm_lasts(spec) < Duration::seconds(900));
}

}  // namespace sluice::sim
