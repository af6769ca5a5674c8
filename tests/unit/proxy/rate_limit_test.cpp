#include "firmware/proxy/rate_limit.h"

#include <doctest/doctest.h>

namespace sluice::proxy {

namespace {

const std::string kKey = "k1";
const Instant kStart = Instant::from_us(5'000'000);

}  // namespace

TEST_CASE("rate limit: a full minute's requests pass at once, the next waits for one refill") {
  RateLimit limit;
  const KeyLimits four{4, 0, 0};
  for (int i = 0; i < 4; ++i) CHECK_FALSE(limit.enter(kKey, four, kStart));
  const auto refusal = limit.enter(kKey, four, kStart);
  REQUIRE(refusal.has_value());
  CHECK(refusal->hit == LimitHit::requests);
  CHECK(refusal->retry_after == Duration::seconds(15));
}

TEST_CASE("rate limit: who comes back after retry_after is let in, and not a moment earlier") {
  for (const int64_t per_minute : {1, 7, 11, 59, 60, 997}) {
    RateLimit limit;
    const KeyLimits limits{per_minute, 0, 0};
    for (int64_t i = 0; i < per_minute; ++i) REQUIRE_FALSE(limit.enter(kKey, limits, kStart));
    const auto refusal = limit.enter(kKey, limits, kStart);
    REQUIRE(refusal.has_value());
    const Instant back = kStart + refusal->retry_after;
    RateLimit early = limit;
    CHECK(early.enter(kKey, limits, back - Duration::us(2)).has_value());
    CHECK_FALSE(limit.enter(kKey, limits, back));
  }
}

TEST_CASE("rate limit: the bucket refills evenly and never beyond one minute's worth") {
  RateLimit limit;
  const KeyLimits two{2, 0, 0};
  CHECK_FALSE(limit.enter(kKey, two, kStart));
  CHECK_FALSE(limit.enter(kKey, two, kStart));
  const Instant next_day = kStart + Duration::seconds(86'400);
  CHECK_FALSE(limit.enter(kKey, two, next_day));
  CHECK_FALSE(limit.enter(kKey, two, next_day));
  CHECK(limit.enter(kKey, two, next_day).has_value());
}

TEST_CASE("rate limit: a refused request takes nothing and does not count as running") {
  RateLimit limit;
  const KeyLimits limits{1, 0, 1};
  CHECK_FALSE(limit.enter(kKey, limits, kStart));
  const auto running = limit.enter(kKey, limits, kStart + Duration::seconds(60));
  REQUIRE(running.has_value());
  CHECK(running->hit == LimitHit::concurrency);
  CHECK(running->retry_after == Duration::seconds(1));
  limit.leave(kKey);
  CHECK_FALSE(limit.enter(kKey, limits, kStart + Duration::seconds(60)));
}

TEST_CASE("rate limit: keys do not share their buckets") {
  RateLimit limit;
  const KeyLimits one{1, 0, 1};
  CHECK_FALSE(limit.enter("a", one, kStart));
  CHECK_FALSE(limit.enter("b", one, kStart));
}

TEST_CASE("rate limit: without limits everything passes") {
  RateLimit limit;
  for (int i = 0; i < 10'000; ++i) {
    REQUIRE_FALSE(limit.enter(kKey, {}, kStart));
    REQUIRE_FALSE(limit.take_tokens(kKey, {}, {1'000'000}, kStart));
  }
}

TEST_CASE("rate limit: tokens are refused until enough of them have come back") {
  RateLimit limit;
  const KeyLimits limits{0, 600, 0};
  CHECK_FALSE(limit.take_tokens(kKey, limits, {500}, kStart));
  const auto refusal = limit.take_tokens(kKey, limits, {150}, kStart);
  REQUIRE(refusal.has_value());
  CHECK(refusal->hit == LimitHit::tokens);
  CHECK(refusal->retry_after == Duration::seconds(5));
  CHECK_FALSE(limit.take_tokens(kKey, limits, {150}, kStart + Duration::seconds(5)));
}

TEST_CASE("rate limit: what was estimated too high comes back when the request ends") {
  RateLimit limit;
  const KeyLimits limits{0, 1000, 0};
  CHECK_FALSE(limit.take_tokens(kKey, limits, {1000}, kStart));
  limit.correct_tokens(kKey, limits, {1000}, {300});
  CHECK_FALSE(limit.take_tokens(kKey, limits, {700}, kStart));
  CHECK(limit.take_tokens(kKey, limits, {1}, kStart).has_value());
}

TEST_CASE("rate limit: what was estimated too low is a debt") {
  RateLimit limit;
  const KeyLimits limits{0, 600, 0};
  CHECK_FALSE(limit.take_tokens(kKey, limits, {100}, kStart));
  limit.correct_tokens(kKey, limits, {100}, {1200});  // 600 below zero
  const auto refusal = limit.take_tokens(kKey, limits, {60}, kStart);
  REQUIRE(refusal.has_value());
  CHECK(refusal->retry_after == Duration::seconds(66));
}

TEST_CASE("rate limit: a correction never fills the bucket beyond one minute's worth") {
  RateLimit limit;
  const KeyLimits limits{0, 600, 0};
  CHECK_FALSE(limit.take_tokens(kKey, limits, {600}, kStart));
  CHECK(limit.take_tokens(kKey, limits, {600}, kStart + Duration::seconds(59)).has_value());
  limit.correct_tokens(kKey, limits, {600}, {0});
  CHECK_FALSE(limit.take_tokens(kKey, limits, {600}, kStart + Duration::seconds(59)));
  CHECK(limit.take_tokens(kKey, limits, {1}, kStart + Duration::seconds(59)).has_value());
}

TEST_CASE("rate limit: a request larger than a whole minute passes a full bucket only") {
  RateLimit limit;
  const KeyLimits limits{0, 600, 0};
  CHECK_FALSE(limit.take_tokens(kKey, limits, {60}, kStart));
  const auto refusal = limit.take_tokens(kKey, limits, {6000}, kStart);
  REQUIRE(refusal.has_value());
  CHECK(refusal->retry_after == Duration::seconds(6));
  CHECK_FALSE(limit.take_tokens(kKey, limits, {6000}, kStart + Duration::seconds(6)));
}

}  // namespace sluice::proxy
