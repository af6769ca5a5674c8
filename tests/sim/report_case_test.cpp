// The published report case in virtual time: 42 s per report alone, 72 s with 60 at a time, over
// 300 s with 100 at a time on one machine.
#include <doctest/doctest.h>

#include "tests/sim/closed_loop.h"

using namespace sluice;

namespace {

constexpr int64_t kPrompt = 64;
constexpr int64_t kOutput = 50;
constexpr double kAlone = 42.0;

sim::LoadResult warm_run(sim::Site& site, int users) {
  site.run(30, 90, kPrompt, kOutput);
  return site.run(users, users * 6, kPrompt, kOutput);
}

}  // namespace

TEST_CASE("report case: with the valve closed and no queue the engine collapses as published") {
  struct Case {
    int users;
    double least_s;
    double most_s;
  };
  for (const Case& c :
       {Case{1, 41.5, 43.0}, {30, 41.5, 43.0}, {60, 69.0, 75.0}, {100, 300.0, 320.0}}) {
    sim::SiteOptions options;
    options.overflow = false;
    options.hold = false;
    sim::Site site(options);
    const sim::LoadResult result = site.run(c.users, c.users * 3, kPrompt, kOutput);
    CAPTURE(c.users);
    CHECK(result.cloud == 0);
    CHECK(result.mean_s >= c.least_s);
    CHECK(result.mean_s <= c.most_s);
  }
}

TEST_CASE("report case: with the valve open 60, 100 and 200 users wait hardly longer than one") {
  for (const int users : {60, 100, 200}) {
    sim::Site site({});
    const sim::LoadResult result = warm_run(site, users);
    const double least = static_cast<double>(users - 35) / users;
    CAPTURE(users);
    CAPTURE(result.share());
    CHECK(result.mean_s <= kAlone * 1.05);
    CHECK(result.share() <= least + 0.10);
    CHECK(result.share() >= least - 0.10);
  }
}

TEST_CASE("report case: few users never cost anything") {
  for (const int users : {1, 30}) {
    sim::Site site({});
    const sim::LoadResult result = site.run(users, users * 10, kPrompt, kOutput);
    CHECK(result.cloud == 0);
    CHECK(result.cloud_cost_nano == 0);
    CHECK(result.mean_s <= kAlone * 1.03);
  }
}

TEST_CASE("report case: a box that has learned nothing yet is not swept away by its first burst") {
  sim::Site site({});
  const sim::LoadResult result = site.run(100, 600, kPrompt, kOutput);
  CHECK(result.mean_s <= kAlone * 1.10);
  CHECK(result.share() <= 0.75);
}

TEST_CASE("report case: without a cloud the fair queue keeps the engine at its best") {
  sim::SiteOptions options;
  options.overflow = false;
  sim::Site site(options);
  const sim::LoadResult result = site.run(100, 600, kPrompt, kOutput);
  CHECK(result.cloud == 0);
  // 100 users on an engine that finishes 35 reports in 42 s: 120 s each, instead of over 300.
  CHECK(result.mean_s <= 130);
}

TEST_CASE("report case: what is learned is the line, and the cheaper cloud gets the overflow") {
  sim::Site site({});
  const sim::LoadResult result = warm_run(site, 100);
  CHECK(site.line() >= 34);
  CHECK(site.line() <= 39);
  CHECK(result.cloud_cost_nano <= result.cloud * kOutput * 4400);  // cheap costs 4000, dear 8000
}

TEST_CASE("simulation: the same seed gives the same trace") {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    sim::SiteOptions options;
    options.seed = seed;
    sim::Site first(options);
    sim::Site second(options);
    first.run(60, 300, kPrompt, kOutput);
    second.run(60, 300, kPrompt, kOutput);
    CHECK(first.trace_hash() == second.trace_hash());
  }
}
