// What PoPs told of their date, put together.
#include "firmware/tunnel/pop_date.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::tunnel;

namespace {

constexpr Date kTold = Date::from_us(1'790'000'000'000'000);
constexpr Instant kHeard = Instant::from_us(5'000'000'000);

PopDate told(Duration after, Duration error, const char* pop = "north", Duration wrong = {}) {
  return {kTold + after + wrong, kHeard + after, error, pop};
}

}  // namespace

TEST_CASE("pop date: it was written half a round trip before it came") {
  const PopDate one = pop_date("north", kTold, kHeard, Duration::ms(80));
  CHECK(one.date == kTold + Duration::ms(40));
  CHECK(one.at == kHeard);
  CHECK(one.uncertainty == Duration::ms(40));
}

TEST_CASE("pop date: it goes on with the clock, and becomes less sure") {
  PopDates dates;
  CHECK_FALSE(dates.at(kHeard));
  dates.note(told({}, Duration::ms(10)));
  const auto later = dates.at(kHeard + Duration::seconds(1000));
  REQUIRE(later);
  CHECK(later->date == kTold + Duration::seconds(1000));
  CHECK(later->uncertainty == Duration::ms(110));
}

TEST_CASE("pop date: a nearer answer is kept a minute, an older one is never taken") {
  PopDates dates;
  const auto error = [&](Duration at) { return dates.at(kHeard + at)->uncertainty; };
  dates.note(told(Duration::seconds(10), Duration::ms(10)));
  dates.note(told(Duration::seconds(9), Duration::ms(1)));
  CHECK(error(Duration::seconds(10)) == Duration::ms(10));
  dates.note(told(Duration::seconds(20), Duration::ms(400)));
  CHECK(error(Duration::seconds(20)) == Duration::ms(11));
  dates.note(told(Duration::seconds(30), Duration::ms(5)));
  CHECK(error(Duration::seconds(30)) == Duration::ms(5));
  dates.note(told(Duration::seconds(90), Duration::ms(400)));
  CHECK(error(Duration::seconds(90)) == Duration::ms(400));
}

TEST_CASE("pop date: of PoPs that differ one is believed as long as it tells") {
  PopDates dates;
  const Duration wrong = Duration::seconds(3600);
  for (int second = 0; second < 5000; ++second) {
    const Duration at = Duration::seconds(second);
    if (second < 3000) dates.note(told(at, Duration::ms(20)));
    dates.note(told(at, Duration::ms(1), "south", wrong));
    const bool other = dates.at(kHeard + at)->pop == "south";
    CHECK(other == (second >= 2999 + 1200));
  }
}

TEST_CASE("pop date: what came before somebody set the date does not count, whenever it is told") {
  PopDates dates;
  dates.note(told({}, Duration::ms(10)));
  dates.void_until(kHeard + Duration::seconds(5));
  CHECK_FALSE(dates.at(kHeard + Duration::seconds(5)));
  dates.note(told(Duration::seconds(4), Duration::ms(10)));
  CHECK_FALSE(dates.at(kHeard + Duration::seconds(5)));
  dates.note(told(Duration::seconds(6), Duration::ms(10)));
  CHECK(dates.at(kHeard + Duration::seconds(6)));
  dates.forget();
  CHECK_FALSE(dates.at(kHeard + Duration::seconds(6)));
}

TEST_CASE("pop date: a PoP that does not know the date tells none") {
  PopDates dates;
  dates.note(pop_date("north", Date(), kHeard, Duration::ms(20)));
  CHECK_FALSE(dates.at(kHeard));
}
