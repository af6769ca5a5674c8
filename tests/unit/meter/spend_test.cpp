// What a key has spent this month, over the ends of months and of processes.
#include "firmware/meter/spend.h"

#include <doctest/doctest.h>

#include "firmware/meter/usage_query.h"
#include "tests/unit/meter/meter_world.h"

using namespace sluice;
using namespace sluice::meter;

namespace {

constexpr int64_t kEach = 100 * 10 + 11 * 100;  // an attempt of the world
const std::string kKey = "k00000001";

Date day(const char* text) { return *parse_day(text, Duration()); }

}  // namespace

TEST_CASE("spend: a month begins on its first day, at midnight UTC") {
  CHECK(month_of(day("2026-11-22")) == day("2026-11-01"));
  CHECK(month_of(day("2028-02-29")) == day("2028-02-01"));
  CHECK(month_of(day("2026-12-01")) == day("2026-12-01"));
  CHECK(month_of(day("2027-01-01") + Duration::us(-1)) == day("2026-12-01"));
}

TEST_CASE("spend: a new month begins at nothing, and what began in the old one is not in it") {
  Spend spend;
  spend.add("a", {5}, day("2026-11-29"), day("2026-11-30"));
  spend.add("b", {7}, day("2026-11-30"), day("2026-11-30"));
  CHECK(spend.of("a", day("2026-11-30")) == Money{5});
  CHECK(spend.all(day("2026-11-30")) == Money{12});
  spend.add("a", {3}, day("2026-11-30"), day("2026-12-01"));
  CHECK(spend.of("a", day("2026-12-01")) == Money{0});
  spend.add("a", {2}, day("2026-12-01"), day("2026-12-01"));
  CHECK(spend.all(day("2026-12-31")) == Money{2});
  CHECK(spend.all(day("2027-01-01")) == Money{0});
}

TEST_CASE("spend: an answer of the ledger that comes in the next month is not believed") {
  Spend spend;
  spend.begin_count(day("2026-11-30"));
  ports::SqlRows rows;
  rows.rows.push_back({std::string("a"), int64_t{9}});
  spend.answered(rows, day("2026-12-01"));
  CHECK(spend.all(day("2026-12-01")) == Money{0});
}

TEST_CASE("meter: spending is known as soon as an attempt has ended, and again after a restart") {
  World world;
  world.boot();
  world.pass(Duration::ms(1));
  for (uint64_t id = 1; id <= 3; ++id) world.start(id);
  CHECK(world.meter->spent(kKey) == Money{0});
  world.end(1);
  CHECK(world.meter->spent(kKey) == Money{kEach});
  CHECK(world.meter->spent("another") == Money{0});
  world.end(2);
  world.pass(Duration::seconds(1));
  world.crash();
  world.boot();
  CHECK(world.meter->spent(kKey) == Money{0});  // not yet read
  world.pass(Duration::seconds(3));
  CHECK(world.outcome(3) == "interrupted");
  CHECK(world.meter->spent_in_all() == Money{2 * kEach});
}

TEST_CASE("meter: what ends while the ledger is asked counts once") {
  World world;
  world.boot();
  world.pass(Duration::ms(1));
  world.start(1), world.end(1);
  world.pass(Duration::seconds(1));
  world.crash();
  world.boot();  // the question is on its way
  world.start(2), world.end(2);
  CHECK(world.meter->spent(kKey) == Money{kEach});
  world.pass(Duration());
  CHECK(world.meter->spent(kKey) == Money{2 * kEach});
  world.pass(Duration::seconds(3));
  CHECK(world.meter->spent(kKey) == Money{2 * kEach});
}

TEST_CASE("meter: a ledger that cannot be asked is asked again when it takes rows") {
  World world;
  world.boot();
  world.pass(Duration::ms(1));
  world.start(1), world.end(1);
  world.pass(Duration::seconds(1));
  world.crash();
  world.store.busy = true;
  world.boot();
  world.start(2), world.end(2);
  world.pass(Duration::seconds(5));
  CHECK(world.log.count("what was spent this month cannot be read") > 0);
  world.store.busy = false;
  world.pass(Duration::seconds(5));
  CHECK(world.meter->spent(kKey) == Money{2 * kEach});
}

TEST_CASE("meter: what a process that drained beside this one spent is known when it has ended") {
  World world;
  world.boot();
  world.start(1);
  world.succeed();
  world.start(2), world.end(2);
  world.pass(Duration::seconds(3));
  world.before->end(1, ended());
  world.pass(Duration::seconds(1));
  world.before.reset();
  world.pass(Meter::kLookAgain + Duration::seconds(1));
  CHECK(world.meter->spent(kKey) == Money{2 * kEach});
}
