// Leased capacity beside a cloud that is paid per token, under the real rule and the real steps.
#include <doctest/doctest.h>

#include "tests/sim/card.h"
#include "tests/sim/site.h"

namespace sluice::sim {

namespace {

constexpr int64_t kPriceIn = 1000;
constexpr int64_t kPriceOut = 4000;

SiteSpec leasing_site() {
  SiteSpec spec;
  spec.checks = true;
  spec.nodes = {local_engine("gpu", card_named("H20x1", 64, 32)),
                token_cloud("per-token", kPriceIn, kPriceOut)};
  LeaseSpec lease;
  lease.engine = card_named("H20x4", 416);
  lease.offer.id = "h20x4";
  // An instance-second costs as much as 2,000 input tokens of the cloud that is paid per token.
  lease.offer.price_per_hour = {2000 * kPriceIn * 3600};
  lease.offer.cold_start = Duration::seconds(40);
  lease.offer.billed_min = Duration::seconds(60);
  lease.offer.slots = 128;
  lease.offer.prompt_tps = 1000 / 0.2015;
  lease.offer.output_tps = 2500;
  spec.leases = lease;
  return spec;
}

Trace steady(double per_second, int64_t seconds) {
  Trace trace;
  const auto gap_us = static_cast<int64_t>(1e6 / per_second);
  for (int64_t at = 0; at < seconds * 1'000'000; at += gap_us)
    trace.push_back({at, 0, 900, 250, {}});
  return trace;
}

int64_t leased_tokens(const Site& site) {
  int64_t sum = 0;
  for (const RequestResult& result : site.results()) sum += result.leased_out;
  return sum;
}

}  // namespace

TEST_CASE("leases: load that lasts opens one, it serves, and it is let go when the load has gone") {
  Site site(leasing_site());
  site.run(steady(8, 900));
  CHECK(site.leased()->platform().starts >= 1);
  CHECK(site.leased()->platform().starts <= 3);
  CHECK(leased_tokens(site) > 100'000);
  CHECK(site.violations() == std::vector<std::string>{});
  site.pass(Duration::seconds(3600));
  CHECK(site.leased()->platform().billed.empty());
  CHECK(site.leased()->leased_time() < Duration::seconds(2 * 3600));
}

TEST_CASE("leases: a burst opens none") {
  Site site(leasing_site());
  site.run(steady(8, 10));
  site.pass(Duration::seconds(600));
  CHECK(site.leased()->platform().starts == 0);
  CHECK(site.tally().served == static_cast<int64_t>(site.results().size()));
}

TEST_CASE("leases: an instance that says it serves and does not answer costs no request") {
  SiteSpec spec = leasing_site();
  spec.leases->faults.false_front = 1;
  Site site(spec);
  site.run(steady(8, 600));
  CHECK(site.leased()->platform().starts >= 1);
  CHECK(leased_tokens(site) == 0);
  CHECK(site.tally().served == static_cast<int64_t>(site.results().size()));
  CHECK(site.violations() == std::vector<std::string>{});
}

}  // namespace sluice::sim
