#include "firmware/sense/failure_share.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::sense;

namespace {
Instant at(int64_t s) { return Instant::from_us((1000 + s) * 1'000'000); }
}  // namespace

TEST_CASE("failure share: one failure of two tries is no verdict, nine of ten are one") {
  FailureShare share;
  CHECK(share.share(at(0)) < 1e-9);
  share.add(true, at(0));
  share.add(false, at(0));
  CHECK(share.share(at(0)) == doctest::Approx(1.0 / 6));
  for (int i = 0; i < 36; ++i) share.add(i % 9 != 0, at(0));
  CHECK(share.share(at(0)) > 0.75);
}

TEST_CASE("failure share: what is old is forgotten") {
  FailureShare share;
  for (int i = 0; i < 4; ++i) share.add(true, at(0));
  CHECK(share.share(at(0)) == doctest::Approx(0.5));
  CHECK(share.share(at(60)) == doctest::Approx(2.0 / 6));
  CHECK(share.share(at(3600)) < 1e-9);
  for (int i = 0; i < 4; ++i) share.add(false, at(60));
  CHECK(share.share(at(60)) == doctest::Approx(2.0 / 10));
}
