#include "firmware/tunnel/damping.h"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace sluice;
using namespace sluice::tunnel;

TEST_CASE("damping: the hold doubles with every failure up to its most") {
  const PathSettings settings;
  Damping damping;
  Instant now = Instant::from_us(1'000'000'000);
  CHECK(damping.hold(settings) == Duration());
  for (const int seconds : {5, 10, 20, 40, 80, 160, 300, 300, 300}) {
    damping.fail(now, settings);
    now = now + Duration::seconds(2);
    damping.come_back(now, settings);
    CHECK(damping.hold_until() == now + Duration::seconds(seconds));
    now = now + Duration::seconds(seconds);
  }
}

TEST_CASE("damping: each quiet period takes one doubling back, time while dead takes none") {
  const PathSettings settings;
  Damping damping;
  Instant now = Instant::from_us(1'000'000'000);
  for (int i = 0; i < 5; ++i) {
    damping.fail(now, settings);
    damping.come_back(now, settings);
  }
  CHECK(damping.failures() == 5);
  now = now + settings.forget * 2;
  damping.fail(now, settings);
  CHECK(damping.failures() == 4);
  now = now + settings.forget * 100;
  damping.come_back(now, settings);
  CHECK(damping.hold_until() == now + Duration::seconds(40));
  now = now + settings.forget * 50;
  damping.fail(now, settings);
  CHECK(damping.failures() == 1);
}

TEST_CASE("damping: a path that fails for ever is held no longer than hold_max") {
  const PathSettings settings;
  Damping damping;
  const Instant now = Instant::from_us(1'000'000'000);
  for (int i = 0; i < 100'000; ++i) damping.fail(now, settings);
  CHECK(damping.hold(settings) == settings.hold_max);
}
