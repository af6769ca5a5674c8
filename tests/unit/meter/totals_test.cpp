#include "firmware/meter/totals.h"

#include <doctest/doctest.h>

#include "tests/unit/meter/meter_world.h"

using namespace sluice;
using namespace sluice::meter;

namespace {
const Instant kNow = Instant::from_us(1'000'500'000);

AttemptStart on(valve::Place place, std::string node = "n") {
  AttemptStart start = attempt(1, std::move(node));
  start.place = place;
  return start;
}
}  // namespace

TEST_CASE("totals: tokens, cost and outcomes are summed for each node and model") {
  Totals totals;
  totals.add(attempt(1, "a"), ended(), kNow);
  totals.add(attempt(2, "a"), ended(Outcome::failed), kNow);
  totals.add(attempt(3, "b"), ended(), kNow);
  REQUIRE(totals.all().size() == 2);
  const NodeModelTotals& a = totals.all().at({"a", "m", valve::Place::local});
  CHECK(a.attempts[static_cast<size_t>(Outcome::served)] == 1);
  CHECK(a.attempts[static_cast<size_t>(Outcome::failed)] == 1);
  CHECK(a.in_tokens == 100);
  CHECK(a.out_tokens == 11);
  CHECK(a.cost.nano == 100 * 10 + 11 * 100);
  CHECK(a.duration.total == 2);
  CHECK(a.tpot.total == 1);
  CHECK(a.tpot.sum == doctest::Approx(0.1));
  CHECK(a.out_per_request.total == 1);
}

TEST_CASE("totals: an answer that was not streamed has neither first token nor pace") {
  Totals totals;
  AttemptEnd end = ended();
  end.out_counted = {};
  end.reported = true;
  end.out_reported = {500};
  totals.add(attempt(1), end, kNow);
  const NodeModelTotals& t = totals.all().begin()->second;
  CHECK(t.ttft.total == 0);
  CHECK(t.tpot.total == 0);
  CHECK(t.out_per_request.total == 1);
}

TEST_CASE("totals: histograms have the standard's bounds, and a value belongs below its bound") {
  Totals totals;
  totals.add(attempt(1), ended(), kNow);
  const NodeModelTotals& t = totals.all().begin()->second;
  CHECK(t.in_per_request.bounds.size() == 14);
  CHECK(t.in_per_request.bounds.back() == 67'108'864);
  CHECK(t.duration.bounds.size() == 14);
  CHECK(t.duration.bounds.front() == 0.01);
  CHECK(t.duration.bounds.back() == 81.92);
  Distribution d;
  d.bounds = {1, 4};
  d.counts = {0, 0, 0};
  for (double value : {0.5, 1.0, 1.1, 4.0, 4.1}) d.add(value);
  CHECK(d.counts == std::vector<uint64_t>{2, 2, 1});
  CHECK(d.total == 5);
  CHECK(d.sum == doctest::Approx(10.7));
}

TEST_CASE("totals: names beyond the bound are counted together") {
  Totals totals;
  for (size_t i = 0; i < Totals::kNodeModelsMax + 5; ++i) {
    AttemptStart start = attempt(1, "n");
    start.model = std::to_string(i);
    totals.add(start, ended(), kNow);
  }
  CHECK(totals.all().size() == Totals::kNodeModelsMax + 1);
  const NodeModelTotals& other = totals.all().at({"n", Totals::kOtherModels, valve::Place::local});
  CHECK(other.attempts[0] == 5);
}

TEST_CASE("totals: the share counts a request where it was answered, for sixty seconds") {
  Totals totals;
  totals.add(on(valve::Place::local), ended(Outcome::busy), kNow);
  totals.add(on(valve::Place::cloud), ended(), kNow);
  totals.add(on(valve::Place::local), ended(), kNow + Duration::seconds(30));
  Share share = totals.share(kNow + Duration::seconds(30));
  CHECK(share.local_requests == 1);
  CHECK(share.cloud_requests == 1);
  CHECK(share.local_tokens == 111);
  CHECK(share.cloud_tokens == 111);
  CHECK(share.cloud_cost.nano == 2100);
  share = totals.share(kNow + Duration::seconds(59));
  CHECK(share.cloud_requests == 1);
  share = totals.share(kNow + Duration::seconds(60));
  CHECK(share.cloud_requests == 0);
  CHECK(share.local_requests == 1);
  share = totals.share(kNow + Duration::seconds(1000));
  CHECK(share.local_requests == 0);
  totals.add(on(valve::Place::local), ended(), kNow + Duration::seconds(1000));
  CHECK(totals.share(kNow + Duration::seconds(1000)).local_requests == 1);
}
