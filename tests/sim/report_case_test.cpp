// The published report case in virtual time: 42 s per report alone, 72 s with 60 at a time, over
// 300 s with 100 at a time on one machine.
#include <doctest/doctest.h>

#include "tests/sim/closed_loop.h"

namespace sluice::sim {

namespace {

constexpr int64_t kPrompt = 64;
constexpr int64_t kOutput = 50;
constexpr double kAlone = 42.0;

NodeSpec report_cloud(std::string name, int64_t price_out_nano) {
  NodeSpec node = token_cloud(std::move(name), 0, price_out_nano);
  node.service = *testbed::step_cost_named("cloud");
  return node;
}

SiteSpec report_site() {
  SiteSpec spec;
  spec.checks = true;
  spec.level = {Duration::seconds(10), Duration::ms(900)};
  spec.nodes = {local_engine("gpu", *testbed::step_cost_named("report-case")),
                report_cloud("dear", 8000), report_cloud("cheap", 4000)};
  spec.proxy.queue_wait_max = Duration::seconds(600);
  return spec;
}

Tally warm_run(Site& site, int users) {
  run_closed_loop(site, 30, 90, kPrompt, kOutput);
  return run_closed_loop(site, users, users * 6, kPrompt, kOutput);
}

int line_of_gpu(const Site& site) { return site.senses().reports(site.clock.now()).front().line; }

}  // namespace

TEST_CASE("report case: with the valve closed and no queue the engine collapses as published") {
  struct Case {
    int users;
    double least_s;
    double most_s;
  };
  for (const Case& c :
       {Case{1, 41.5, 43.0}, {30, 41.5, 43.0}, {60, 69.0, 75.0}, {100, 300.0, 320.0}}) {
    SiteSpec spec = report_site();
    spec.valve.overflow = false;
    spec.valve.hold = false;
    Site site(spec);
    const Tally result = run_closed_loop(site, c.users, c.users * 3, kPrompt, kOutput);
    CAPTURE(c.users);
    CHECK(result.in_cloud == 0);
    CHECK(result.served == c.users * 3);
    CHECK(result.total_s.mean >= c.least_s);
    CHECK(result.total_s.mean <= c.most_s);
    CHECK(site.violations() == std::vector<std::string>{});
  }
}

TEST_CASE("report case: with the valve open 60, 100 and 200 users wait hardly longer than one") {
  for (const int users : {60, 100, 200}) {
    Site site(report_site());
    const Tally result = warm_run(site, users);
    const double least = static_cast<double>(users - 35) / users;
    CAPTURE(users);
    CAPTURE(result.cloud_share());
    CHECK(result.total_s.mean <= kAlone * 1.05);
    CHECK(result.cloud_share() <= least + 0.10);
    CHECK(result.cloud_share() >= least - 0.10);
    CHECK(site.violations() == std::vector<std::string>{});
  }
}

TEST_CASE("report case: few users never cost anything") {
  for (const int users : {1, 30}) {
    Site site(report_site());
    const Tally result = run_closed_loop(site, users, users * 10, kPrompt, kOutput);
    CHECK(result.served == users * 10);
    CHECK(result.in_cloud == 0);
    CHECK(result.cloud_weighted == 0);
    CHECK(result.total_s.mean <= kAlone * 1.03);
  }
}

TEST_CASE("report case: a box that has learned nothing yet is not swept away by its first burst") {
  Site site(report_site());
  const Tally result = run_closed_loop(site, 100, 600, kPrompt, kOutput);
  CHECK(result.total_s.mean <= kAlone * 1.10);
  CHECK(result.cloud_share() <= 0.75);
}

TEST_CASE("report case: without a cloud the fair queue keeps the engine at its best") {
  SiteSpec spec = report_site();
  spec.valve.overflow = false;
  Site site(spec);
  const Tally result = run_closed_loop(site, 100, 600, kPrompt, kOutput);
  CHECK(result.in_cloud == 0);
  CHECK(result.served == 600);
  // 100 users on an engine that finishes 35 reports in 42 s: 120 s each, instead of over 300.
  CHECK(result.total_s.mean <= 130);
}

TEST_CASE("report case: what is learned is the line, and the cheaper cloud gets the overflow") {
  Site site(report_site());
  warm_run(site, 100);
  CHECK(line_of_gpu(site) >= 34);
  CHECK(line_of_gpu(site) <= 39);
  int64_t cheap = 0;
  int64_t dear = 0;
  for (const RequestResult& result : site.results()) {
    dear += result.node == 1 ? 1 : 0;
    cheap += result.node == 2 ? 1 : 0;
  }
  CHECK(cheap > 100);
  CHECK(dear * 10 <= cheap);
}

}  // namespace sluice::sim
