#include "firmware/capacity/lease_rule.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "tests/script/memory.h"
#include "tests/unit/capacity/offers.h"

using namespace sluice;
using namespace sluice::capacity;

namespace {

// So many instances' worth of answers, each costing `times` the rent from the per-token cloud.
CloudDemand demand(double instances, double times) {
  return {0, instances * 1000, instances * times * 1e7};
}

LeasePolicy policy() {
  LeasePolicy policy;
  policy.leases_max = kLeasesMax;
  return policy;
}

LeasePolicy unrationed() {
  LeasePolicy policy;
  policy.leases_max = kLeasesMax;
  policy.starts_per_day_max = 1 << 20;
  policy.commitment_min = Duration();
  return policy;
}

int seconds_to_open(double times) {
  LeaseRule rule;
  for (int s = 0; s < 100000; ++s) {
    if (rule.wants_more(sample_offer(), 0, 0, policy())) return s;
    rule.advance(demand(1, times), sample_offer(), 0, Duration::seconds(1), policy());
  }
  return -1;
}

// What perfect foresight pays for one layer: rent or per-token second by second, each start at
// `start`. Dynamic programme over the two states.
double best_plan(const std::vector<double>& per_token, double rent, double start) {
  double off = 0;
  double on = start;
  for (const double p : per_token) {
    const double to_on = std::min(on, off + start) + rent;
    const double to_off = std::min(off, on) + p;
    on = to_on;
    off = to_off;
  }
  return std::min(on, off);
}

}  // namespace

TEST_CASE("lease rule: opens when the per-token cloud has cost a start more than a lease") {
  // B = 0.01 x 120 s = 1.2; at twice the rent the regret is 0.01 a second, at four times 0.03.
  CHECK(seconds_to_open(2) == doctest::Approx(120).epsilon(0.01));
  CHECK(seconds_to_open(4) == doctest::Approx(40).epsilon(0.03));
  CHECK(seconds_to_open(1) == -1);
  CHECK(seconds_to_open(0.5) == -1);
}

TEST_CASE("lease rule: lets go when its idleness has cost as much, and not sooner") {
  LeaseRule rule;
  int seconds = 0;
  while (!rule.wants_less(sample_offer(), 1, policy())) {
    rule.advance(demand(0, 0), sample_offer(), 1, Duration::seconds(1), policy());
    ++seconds;
    REQUIRE(seconds < 1000);
  }
  CHECK(seconds == 120);
  // A minute of use between two idle minutes takes the regret away again.
  LeaseRule used;
  for (int minute = 0; minute < 100; ++minute) {
    const double times = minute % 2 == 0 ? 0 : 2.1;
    for (int s = 0; s < 60; ++s) {
      used.advance(demand(1, times), sample_offer(), 1, Duration::seconds(1), policy());
      REQUIRE_FALSE(used.wants_less(sample_offer(), 1, policy()));
    }
  }
}

TEST_CASE("lease rule: demand for two and a half instances leases two when half does not pay") {
  LeaseRule rule;
  int held = 0;
  for (int s = 0; s < 3600; ++s) {
    rule.advance(demand(2.5, 1.5), sample_offer(), held, Duration::seconds(1), policy());
    if (rule.wants_more(sample_offer(), held, held, policy())) rule.opened(held++);
  }
  CHECK(held == 2);  // the half one would carry tokens for 0.75 of its rent
  CHECK(instances_needed(demand(2.5, 1.5), sample_offer()) == doctest::Approx(2.5));
  CHECK(layer_nano_per_s(demand(2.5, 1.5), sample_offer(), 2) == doctest::Approx(0.75e7));
}

TEST_CASE("lease rule: from half of the day's starts on each wants twice the regret") {
  CHECK(caution(0, policy()) == 1);
  CHECK(caution(5, policy()) == 1);
  CHECK(caution(6, policy()) == 2);
  CHECK(caution(9, policy()) == 16);
  LeaseRule rule;
  for (int s = 0; s < 100000; ++s) {
    rule.advance(demand(1, 4), sample_offer(), 0, Duration::seconds(1), policy());
  }
  CHECK(rule.wants_more(sample_offer(), 0, 9, policy()));
  CHECK_FALSE(rule.wants_more(sample_offer(), 0, 10, policy()));
}

TEST_CASE("lease rule: any demand costs at most the best plan and two starts for each start") {
  constexpr int kSeconds = 20000;
  constexpr int kLayers = 3;
  int cycles = 0;
  double worst = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    script::SimRandom chance(seed);
    ports::LeaseOffer terms = sample_offer();
    terms.opening_fee = {static_cast<int64_t>(1 + chance.below(200)) * 10'000'000};
    terms.cold_start = Duration();
    const double rent = rent_nano_per_s(terms);
    const double start = start_cost_nano(terms, unrationed());
    std::vector<std::vector<double>> per_token(kLayers);
    LeaseRule rule;
    int held = 0;
    int starts = 0;
    double running = 0;
    CloudDemand now;
    for (int s = 0; s < kSeconds; ++s) {
      if (chance.below(90) == 0) now = demand(chance.below(40) / 10.0, chance.below(60) / 10.0);
      for (int layer = 0; layer < kLayers; ++layer) {
        const double cost = layer_nano_per_s(now, terms, layer);
        per_token[static_cast<size_t>(layer)].push_back(cost);
        running += layer < held ? rent : cost;
      }
      rule.advance(now, terms, held, Duration::seconds(1), unrationed());
      if (held > 0 && rule.wants_less(terms, held, unrationed())) {
        rule.released(held--);
      } else if (held < kLayers && rule.wants_more(terms, held, starts, unrationed())) {
        rule.opened(held++);
        ++starts;
      }
    }
    double best = 0;
    for (const auto& layer : per_token) best += best_plan(layer, rent, start);
    // A threshold is passed by at most a second's cost; one move a second delays a layer's by few.
    const double coarse = 3 * (starts + kLayers) * 6 * rent;
    CAPTURE(seed);
    CHECK(running <= best + start * (starts + kLayers) + coarse);
    CHECK(running <= 2 * best + start * kLayers + coarse);
    CHECK(running + start * starts >= best - 1);  // and the best plan is a bound
    worst = std::max(worst, (running + start * starts) / best);
    cycles += starts;
  }
  CHECK(cycles > 1000);  // the property was exercised
  CHECK(worst <= 3.0);
  MESSAGE("starts ", cycles, ", worst cost / best plan ", worst);
}
