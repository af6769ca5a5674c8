#include "firmware/proxy/attempt_ids.h"

#include <doctest/doctest.h>

#include <set>

using namespace sluice;
using namespace sluice::proxy;

namespace {

struct Drawn : ports::Random {
  uint64_t next() override { return state = state * 6364136223846793005U + 1442695040888963407U; }
  uint64_t state = 5;
};

const Date kToday = Date::from_us(1'795'000'000'000'000);

}  // namespace

TEST_CASE("attempt ids: no two are alike, all are SQL integers, and they rise within a run") {
  Drawn random;
  AttemptIds ids;
  std::set<uint64_t> seen;
  int falls = 0;
  uint64_t last = 0;
  constexpr int kRuns = 4;
  for (int i = 0; i < kRuns << AttemptIds::kCountBits; ++i) {
    const uint64_t id = ids.next(random, kToday);
    REQUIRE(static_cast<int64_t>(id) > 0);
    if (i > 0 && id != last + 1) ++falls;
    last = id;
    seen.insert(id);
  }
  CHECK(seen.size() == static_cast<size_t>(kRuns) << AttemptIds::kCountBits);
  CHECK(falls == kRuns - 1);
}

TEST_CASE(
    "attempt ids: those of a later window are greater, a clock that stands still is no matter") {
  Drawn random;
  AttemptIds first;
  AttemptIds second;
  AttemptIds later;
  const uint64_t a = first.next(random, kToday);
  const uint64_t b = second.next(random, kToday);
  const uint64_t run_of_a = a >> AttemptIds::kCountBits;
  const uint64_t run_of_b = b >> AttemptIds::kCountBits;
  CHECK_MESSAGE(run_of_a != run_of_b, "another process, at once");
  CHECK(later.next(random, kToday + AttemptIds::kWindow) > std::max(a, b));
}
