#include "firmware/sense/forecast_error.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::sense;

namespace {
constexpr Duration kPromised = Duration::seconds(2);
}

TEST_CASE("forecast error: what is always late by the same is corrected, not allowed for") {
  ForecastError error;
  for (int i = 0; i < 300; ++i) error.add(Duration::ms(1000), Duration::ms(1030), kPromised, false);
  error.refresh();
  CHECK(error.bias().as_ms() == 30);
  CHECK(error.allowance() < 0.005);
}

TEST_CASE("forecast error: chance is allowed for, more so after promises were lost") {
  ForecastError calm;
  ForecastError stung;
  for (int i = 0; i < 400; ++i) {
    const Duration actual = Duration::ms(1500 + (i % 10) * 20);
    calm.add(Duration::ms(1500), actual, kPromised, false);
    stung.add(Duration::ms(1500), i % 40 == 0 ? Duration::ms(2100) : actual, kPromised, false);
  }
  calm.refresh();
  stung.refresh();
  CHECK(calm.allowance() > 0.01);
  CHECK(calm.allowance() < 0.06);
  CHECK(stung.allowance() > calm.allowance());
}

TEST_CASE("forecast error: who was overtaken while there was time teaches nothing") {
  ForecastError error;
  for (int i = 0; i < 300; ++i) error.add(Duration::ms(1000), Duration::ms(1300), kPromised, true);
  error.refresh();
  CHECK(error.bias().is_zero());
  CHECK(error.allowance() == ForecastError::kUntested);
}
