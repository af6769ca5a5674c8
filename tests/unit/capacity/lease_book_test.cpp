#include "firmware/capacity/lease_book.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::capacity;

namespace {

LeaseBook book_with(LeaseState state) {
  Step step;
  step.state = state;
  step.lease = "lease-1";
  step.offer = {"o", "m", {5}, {6}, Duration::seconds(7), Duration::seconds(8), 9, 10.5, 11.5};
  step.decided = Date::from_us(1);
  step.opened = Date::from_us(2);
  step.changed = Date::from_us(3);
  step.asked = Date::from_us(4);
  step.why = "because \"so\"";
  return {{step}, {Date::from_us(12)}, Date::from_us(13), Duration::seconds(14)};
}

}  // namespace

TEST_CASE("lease book: what was written is what is read, in every state") {
  for (const LeaseState state : {LeaseState::proposed, LeaseState::wanted, LeaseState::opening,
                                 LeaseState::serving, LeaseState::draining, LeaseState::closing}) {
    const LeaseBook book = book_with(state);
    const Result<LeaseBook> read = read_book(write_book(book));
    REQUIRE(read.has_value());
    CHECK(*read == book);
  }
}

TEST_CASE("lease book: a lease that cannot be understood is not passed over") {
  const std::string good = write_book(book_with(LeaseState::serving));
  const auto with = [&good](std::string_view what, std::string_view instead) {
    std::string text = good;
    const size_t at = text.find(what);
    REQUIRE(at != std::string::npos);
    return read_book(text.replace(at, what.size(), instead));
  };
  CHECK_FALSE(with("\"serving\"", "\"dreaming\"").has_value());
  CHECK_FALSE(with("\"version\":1", "\"version\":2").has_value());
  CHECK_FALSE(with("\"lease-1\"", "\"\"").has_value());
  CHECK_FALSE(with("\"leases\"", "\"leaves\"").has_value());
  CHECK_FALSE(with("\"offer\"", "\"offal\"").has_value());
  CHECK_FALSE(read_book(good.substr(0, good.size() / 2)).has_value());
  CHECK_FALSE(read_book("").has_value());
}

TEST_CASE("lease book: starts are counted over 24 hours, and a date set back hides none") {
  LeaseBook book;
  const Date noon = Date::from_us(1'800'000'000'000'000);
  for (int hour = 0; hour < 48; hour += 6) {
    book.starts.push_back(noon + Duration::seconds(3600) * hour);
  }
  const Date now = noon + Duration::seconds(3600) * 42;
  CHECK(starts_within_day(book, now) == 4);
  CHECK(starts_within_day(book, now + Duration::seconds(-7200)) == 5);
  CHECK(starts_within_day(book, now + kDay * -30) == 0);  // years of waiting would be worse
  forget_old_starts(book, now);
  CHECK(book.starts.size() == 4);
}
