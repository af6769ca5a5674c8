#include "firmware/sense/breaker.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::sense;
using valve::Health;

namespace {

constexpr Duration kTick = Duration::us(1);

Instant at(int64_t ms) { return Instant::from_us(ms * 1000); }

Breaker proven() {
  Breaker breaker;
  breaker.succeed(at(0));
  return breaker;
}

void fail(Breaker& breaker, Instant now, int times) {
  for (int i = 0; i < times; ++i) breaker.fail(now, "refused");
}

}  // namespace

TEST_CASE("breaker: nothing is known before the first sign") {
  Breaker breaker;
  CHECK(breaker.health(at(0)) == Health::unknown);
  CHECK(breaker.share(at(0)) == 1.0);
  breaker.fail(at(1), "refused");
  CHECK(breaker.health(at(1)) == Health::unknown);
  CHECK(breaker.why() == "refused");
  breaker.answer_probe(at(2));
  CHECK(breaker.health(at(2)) == Health::up);
  CHECK(breaker.why().empty());
}

TEST_CASE("breaker: five failures in a row open it, not four, not five with a success between") {
  Breaker breaker = proven();
  fail(breaker, at(1), 4);
  CHECK(breaker.health(at(1)) == Health::up);
  breaker.succeed(at(2));
  fail(breaker, at(3), 4);
  CHECK(breaker.health(at(3)) == Health::up);
  breaker.fail(at(4), "reset");
  CHECK(breaker.health(at(4)) == Health::down);
  CHECK(breaker.why() == "reset");
  Breaker never;
  fail(never, at(1), 5);
  CHECK(never.health(at(1)) == Health::down);
}

TEST_CASE("breaker: a probe's answer does not excuse requests that hang") {
  Breaker breaker = proven();
  for (int i = 1; i <= 5; ++i) {
    breaker.answer_probe(at(i));
    CHECK(breaker.health(at(i)) == Health::up);
    breaker.fail(at(i), "no first byte");
  }
  CHECK(breaker.health(at(5)) == Health::down);
  breaker.answer_probe(at(6));
  CHECK_MESSAGE(breaker.health(at(6)) == Health::down, "the open time is served whole");
}

TEST_CASE("breaker: down, probing, slow start, up, each at its time") {
  Breaker breaker = proven();
  fail(breaker, at(1000), 5);
  CHECK(breaker.health(at(6000) - kTick) == Health::down);
  CHECK(breaker.health(at(6000)) == Health::probing);
  breaker.succeed(at(7000));
  CHECK(breaker.health(at(7000)) == Health::slow_start);
  CHECK(breaker.share(at(7000)) == doctest::Approx(0.1));
  CHECK(breaker.share(at(8000)) == doctest::Approx(0.1));
  CHECK(breaker.share(at(12000)) == doctest::Approx(0.5));
  CHECK(breaker.share(at(16000)) == doctest::Approx(0.9));
  CHECK(breaker.health(at(17000) - kTick) == Health::slow_start);
  CHECK(breaker.health(at(17000)) == Health::up);
  CHECK(breaker.share(at(17000)) == 1.0);
  breaker.succeed(at(17000));
  CHECK(breaker.why().empty());
  fail(breaker, at(18000), 4);
  CHECK(breaker.health(at(18000)) == Health::up);
}

TEST_CASE("breaker: a probe's answer after the open time starts it slowly") {
  Breaker breaker = proven();
  fail(breaker, at(0), 5);
  breaker.answer_probe(at(5000));
  CHECK(breaker.health(at(5000)) == Health::slow_start);
  breaker.answer_probe(at(9000));
  CHECK_MESSAGE(breaker.share(at(10000)) == doctest::Approx(0.5),
                "the next answer changes nothing");
}

TEST_CASE("breaker: every failed trial doubles the open time, up to its bound") {
  Breaker breaker = proven();
  fail(breaker, at(0), 5);
  int64_t now = 0;
  for (const int64_t open_s : {5, 10, 20, 40, 60, 60}) {
    CAPTURE(open_s);
    now += open_s * 1000;
    CHECK(breaker.health(at(now) - kTick) == Health::down);
    CHECK(breaker.health(at(now)) == Health::probing);
    breaker.fail(at(now), "still refused");
  }
  breaker.succeed(at(now + 60000));
  CHECK(breaker.health(at(now + 60000)) == Health::slow_start);
  breaker.succeed(at(now + 70000));  // slow start over: all is forgiven
  fail(breaker, at(now + 70000), 5);
  CHECK(breaker.health(at(now + 75000) - kTick) == Health::down);
  CHECK(breaker.health(at(now + 75000)) == Health::probing);
}

TEST_CASE("breaker: who came back by a probe's answer alone is still on trial") {
  Breaker breaker = proven();
  fail(breaker, at(0), 5);
  breaker.answer_probe(at(5000));
  breaker.fail(at(6000), "again");
  CHECK(breaker.health(at(16000) - kTick) == Health::down);
  CHECK(breaker.health(at(16000)) == Health::probing);
}

TEST_CASE("breaker: who has served since it came back may fail now and then") {
  Breaker breaker = proven();
  fail(breaker, at(0), 5);
  breaker.succeed(at(5000));
  for (int64_t ms = 6000; ms < 14000; ms += 1000) {
    breaker.fail(at(ms), "one of eight");
    CHECK(breaker.health(at(ms)) == Health::slow_start);
    breaker.succeed(at(ms + 100));
  }
  fail(breaker, at(14000), 5);
  CHECK_MESSAGE(breaker.health(at(19000) - kTick) == Health::down, "the open time begins anew");
  CHECK(breaker.health(at(19000)) == Health::probing);
}

TEST_CASE("breaker: late ends of what was sent before change nothing while it is open") {
  Breaker breaker = proven();
  fail(breaker, at(0), 5);
  breaker.succeed(at(100));
  CHECK(breaker.health(at(100)) == Health::down);
  fail(breaker, at(200), 50);
  CHECK(breaker.health(at(5000) - kTick) == Health::down);
  CHECK_MESSAGE(breaker.health(at(5000)) == Health::probing, "not doubled");
}

TEST_CASE("breaker: a node that asks us to wait is left alone until then, and has not failed") {
  Breaker breaker = proven();
  for (int i = 0; i < 20; ++i) breaker.ask_to_wait(at(0), Duration::seconds(3), "429");
  CHECK(breaker.health(at(3000) - kTick) == Health::down);
  CHECK(breaker.why() == "429");
  CHECK(breaker.health(at(3000)) == Health::up);
  breaker.ask_to_wait(at(3000), Duration::seconds(1), "503");
  breaker.ask_to_wait(at(3000), Duration::ms(10), "503");
  CHECK_MESSAGE(breaker.health(at(4000) - kTick) == Health::down, "the longer wait holds");
  breaker.ask_to_wait(at(10000), Duration::seconds(86400), "429");
  CHECK(breaker.health(at(70000) - kTick) == Health::down);
  CHECK_MESSAGE(breaker.health(at(70000)) == Health::up, "no node silences itself for long");
}

TEST_CASE("breaker: its times are settings") {
  Breaker breaker = proven();
  breaker.set_times({1, Duration::seconds(1), Duration()});
  breaker.fail(at(0), "x");
  CHECK(breaker.health(at(999)) == Health::down);
  breaker.succeed(at(1000));
  CHECK(breaker.health(at(1000)) == Health::up);
  CHECK(breaker.share(at(1000)) == 1.0);
}
