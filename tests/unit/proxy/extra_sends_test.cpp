// Retries and copies are kept to their share of the requests.
#include "firmware/proxy/extra_sends.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::proxy;

namespace {

Instant at(double s) { return Instant::from_us(1'000'000'000 + static_cast<int64_t>(s * 1e6)); }
valve::NodeSet nodes(uint64_t bits) { return valve::NodeSet::from_bits(bits); }

}  // namespace

TEST_CASE(
    "extra sends: if every attempt fails, retries are a tenth of the requests and the floor") {
  ExtraSends extras;
  const double seconds = 100;
  const int per_s = 1000;
  int retried = 0;
  for (int i = 0; i < seconds * per_s; ++i) {
    const Instant now = at(static_cast<double>(i) / per_s);
    extras.on_request(nodes(3), now);
    retried += extras.take_retry(nodes(3), now) ? 1 : 0;
  }
  const double most = 0.1 * seconds * per_s + 10 * (seconds + 10);
  CHECK(retried <= most);
  CHECK(retried > 0.9 * most);
  CHECK(extras.extras().retries == static_cast<uint64_t>(retried));
  CHECK(extras.extras().retries + extras.extras().retries_denied == 100'000);
}

TEST_CASE("extra sends: a box with few requests may retry each of them") {
  ExtraSends extras;
  for (int i = 0; i < 100; ++i) {
    extras.on_request(nodes(3), at(i));
    CHECK(extras.take_retry(nodes(3), at(i)));
  }
}

TEST_CASE("extra sends: what fails at once, when a node dies, may be tried again") {
  ExtraSends extras;
  for (int i = 0; i < 60; ++i) extras.on_request(nodes(3), at(0));
  for (int i = 0; i < 60; ++i) CHECK(extras.take_retry(nodes(3), at(0)));
}

TEST_CASE("extra sends: the trouble of some nodes is not that of others") {
  ExtraSends extras;
  extras.set_shares({0.1, 1, 0.05});
  while (extras.take_retry(nodes(3), at(0))) {
  }
  CHECK(extras.take_retry(nodes(12), at(0)));
}

TEST_CASE("extra sends: a calm past is not saved up for a storm") {
  ExtraSends extras;
  extras.set_shares({0.1, 0, 0.05});
  for (int i = 0; i < 10'000; ++i) extras.on_request(nodes(3), at(0));
  int later = 0;
  while (extras.take_retry(nodes(3), at(100))) ++later;
  CHECK(later < 1000 / 1000 + 1);  // ten halvings
  CHECK_FALSE(extras.take_retry(nodes(3), at(100)));
}

TEST_CASE("extra sends: copies are a share of the requests, with no floor") {
  ExtraSends extras;
  CHECK_FALSE(extras.take_hedge(nodes(3), at(0)));
  int copies = 0;
  for (int i = 0; i < 2000; ++i) {
    extras.on_request(nodes(3), at(i * 0.01));
    copies += extras.take_hedge(nodes(3), at(i * 0.01)) ? 1 : 0;
  }
  CHECK(copies <= 100);
  CHECK(copies > 85);
  extras.on_hedge_won();
  CHECK(extras.extras().hedges_won == 1);
}

TEST_CASE("extra sends: sets of nodes beyond the bound share one budget") {
  ExtraSends extras;
  extras.set_shares({0, 0.1, 0});  // one retry for each set
  for (uint64_t set = 1; set <= ExtraSends::kSetsMax; ++set) {
    CHECK(extras.take_retry(nodes(set), at(0)));
  }
  CHECK(extras.take_retry(nodes(1000), at(0)));
  CHECK_FALSE(extras.take_retry(nodes(1001), at(0)));
  CHECK_FALSE(extras.take_retry(nodes(1), at(0)));
}
