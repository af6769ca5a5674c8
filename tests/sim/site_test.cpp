// The world itself: that it is exact, repeats, and is fast.
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>

#include "tests/sim/card.h"
#include "tests/sim/site.h"

namespace sluice::sim {

namespace {

SiteSpec one_gpu_and_a_cloud(uint64_t seed = 1) {
  SiteSpec spec;
  spec.seed = seed;
  spec.checks = true;
  spec.nodes = {local_engine("gpu", card_named("H20x2", 192)), token_cloud("cloud")};
  return spec;
}

Trace random_arrivals(uint64_t seed, int count, Duration gap_max) {
  Chance chance(seed, "arrivals");
  Trace arrivals;
  int64_t at_us = 0;
  for (int i = 0; i < count; ++i) {
    at_us += chance.between(0, gap_max.as_us());
    const int64_t prompt = chance.between(10, 2200);
    arrivals.push_back({at_us, 0, prompt, chance.between(1, 420), {}});
  }
  return arrivals;
}

}  // namespace

TEST_CASE("site: a request alone takes as long as the step model says") {
  SiteSpec spec = one_gpu_and_a_cloud();
  Site site(spec);
  site.run({{0, 0, 1000, 100, {}}});
  const RequestResult& result = site.results().at(0);
  REQUIRE(result.is_served());
  CHECK(result.node == 0);
  CHECK_FALSE(result.in_cloud);
  // Six steps for 1,000 tokens in chunks of 192, there and back.
  const double step_us = 12'794;
  const double prefill_us = 402.9 * 1000;
  const double link_us = 200;
  CHECK(std::abs(static_cast<double>(result.ttft.as_us()) - (6 * step_us + prefill_us + link_us)) <
        10);
  const double token_us = step_us + 207.5 + 40.96 * 1.05;  // about 1,050 tokens of context
  CHECK(static_cast<double>(result.tpot.as_us()) == doctest::Approx(token_us).epsilon(0.001));
  CHECK(site.tally().cost_share() == 0);
  CHECK(site.violations() == std::vector<std::string>{});
}

TEST_CASE("site: the endpoint that is paid per token answers after 0.3 s, its prefill and a trip") {
  SiteSpec spec = one_gpu_and_a_cloud();
  spec.nodes.erase(spec.nodes.begin());
  Site site(spec);
  site.run({{0, 0, 1000, 11, {}}});
  const RequestResult& result = site.results().at(0);
  REQUIRE(result.is_served());
  CHECK(result.in_cloud);
  CHECK(result.ttft == Duration::ms(30 + 300 + 50));
  CHECK(result.tpot == Duration::ms(25));
  CHECK(result.cloud_in == 1000);
  CHECK(result.cloud_out == 11);
  CHECK(site.tally().cost_share() == 1);
}

TEST_CASE("site: every request ends once, with the bytes of the node that served it") {
  Site site(one_gpu_and_a_cloud());
  site.run(random_arrivals(1, 600, Duration::ms(600)));
  const Tally sum = site.tally();
  CHECK(sum.served == 600);
  CHECK(sum.in_cloud > 0);
  CHECK(sum.in_cloud < 600);
  CHECK(site.violations() == std::vector<std::string>{});
}

TEST_CASE("site: the same specification gives the same trace, another seed another one") {
  const Trace arrivals = random_arrivals(2, 300, Duration::ms(500));
  const auto hash = [&arrivals](uint64_t seed) {
    SiteSpec spec = one_gpu_and_a_cloud(seed);
    spec.nodes[0].link.loss = 0.01;  // what the seed decides
    Site site(spec);
    site.run(arrivals);
    return site.trace_hash();
  };
  CHECK(hash(1) == hash(1));
  CHECK(hash(1) != hash(2));
}

TEST_CASE("site: a client that leaves is not served on") {
  Site site(one_gpu_and_a_cloud());
  const uint32_t request = site.open({0, 100, 4000});
  site.pass(Duration::seconds(5));
  CHECK(site.node(0).service().running() == 1);
  site.leave(request);
  site.pass(Duration::seconds(1));
  CHECK(site.node(0).service().running() == 0);
  CHECK(site.results().at(request).ending == SimClient::Ending::left);
  CHECK(site.open_requests() == 0);
  CHECK(site.violations() == std::vector<std::string>{});
}

TEST_CASE("site: it runs more than 100 times as fast as the world it stands for") {
  SiteSpec spec = one_gpu_and_a_cloud();
  spec.checks = false;
  const Trace arrivals = random_arrivals(3, 1000, Duration::ms(1200));
  const auto began = std::chrono::steady_clock::now();
  Site site(spec);
  site.run(arrivals);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  CHECK(static_cast<double>(arrivals.back().at_us) / 1e6 / took.count() > 100);
}

}  // namespace sluice::sim
