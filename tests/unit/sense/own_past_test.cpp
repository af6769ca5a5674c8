#include "firmware/sense/own_past.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "firmware/sense/page_lag.h"

using namespace sluice;
using namespace sluice::sense;

namespace {
Instant at(int64_t ms) { return Instant::from_us(1'000'000'000 + ms * 1000); }
}  // namespace

TEST_CASE("own past: exact for a while, in slots before, the earliest before that") {
  OwnPast past;
  CHECK(past.at(at(0)) == 0);
  for (int second = 0; second <= 60; ++second) past.note(at(second * 1000), second);
  CHECK(past.now() == 60);
  CHECK(past.at(at(59'999)) == 59);
  CHECK(past.at(at(60'000)) == 60);
  CHECK(past.at(at(99'000)) == 60);
  CHECK(past.at(at(30'500)) == 30);
  CHECK(past.at(at(1'000)) == 20);  // forty seconds are kept
}

TEST_CASE("own past: the range over a time has every value in it, and those at its ends") {
  OwnPast past;
  past.note(at(0), 3);
  past.note(at(100), 9);
  past.note(at(150), 4);
  CHECK(past.over(at(50), at(100)).least == 3);
  CHECK(past.over(at(50), at(100)).most == 9);
  CHECK(past.over(at(150), at(500)).most == 4);
  for (int i = 0; i < 2000; ++i) past.note(at(1000 + i), i % 7);  // more than is known exactly
  CHECK(past.over(at(0), at(2999)).most == 9);
  CHECK(past.over(at(0), at(2999)).least == 0);
}

TEST_CASE("own past: a silence is filled with what was before it") {
  OwnPast past;
  past.note(at(0), 5);
  past.note(at(20'000), 1);
  past.note(at(24'000), 2);
  CHECK(past.at(at(10'000)) == 5);
  CHECK(past.at(at(19'900)) == 5);
  CHECK(past.at(at(20'100)) == 1);
}

TEST_CASE("page lag: an engine that only others use says nothing of its lag") {
  PageLag lag;
  const OwnPast nobody;
  for (int i = 0; i < 400; ++i) lag.learn(at(i * 250), i * 37 % 11, nobody);
  CHECK(lag.lag().is_zero());
}

TEST_CASE("page lag: the past that pages fit is found, and forgotten with an engine") {
  PageLag lag;
  OwnPast own;
  int count = 0;
  uint64_t chance = 1;
  std::vector<int> past;
  for (int tick = 0; tick < 1000; ++tick) {  // of 100 ms
    chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
    count = std::max(0, count + static_cast<int>((chance >> 33) % 5) - 2);
    own.note(at(tick * 100), count);
    past.push_back(count);
    if (tick % 3 == 0) lag.learn(at(tick * 100), tick >= 50 ? past[tick - 50] : 0, own);
  }
  CHECK(std::abs(lag.lag().as_ms() - 5000) <= 100);
  lag.forget();
  CHECK(lag.lag().is_zero());
}
