#include "firmware/settings/day_window.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::settings;

namespace {

Date at(int hour, int minute) {
  const int64_t days = 20000;
  return Date::from_us(((days * 24 + hour) * 60 + minute) * 60'000'000);
}

}  // namespace

TEST_CASE("day window: from a minute on, up to another") {
  const DayWindow evening = *parse_day_window("17:00-21:30");
  CHECK_FALSE(is_within(evening, at(16, 59)));
  CHECK(is_within(evening, at(17, 0)));
  CHECK(is_within(evening, at(21, 29)));
  CHECK_FALSE(is_within(evening, at(21, 30)));
}

TEST_CASE("day window: it may pass midnight, or be the whole day") {
  const DayWindow night = *parse_day_window("22:30-04:00");
  CHECK(is_within(night, at(22, 30)));
  CHECK(is_within(night, at(0, 0)));
  CHECK(is_within(night, at(3, 59)));
  CHECK_FALSE(is_within(night, at(4, 0)));
  CHECK_FALSE(is_within(night, at(12, 0)));
  CHECK(is_within(*parse_day_window("00:00-00:00"), at(12, 0)));
}

TEST_CASE("day window: what is not one is not taken for one") {
  for (const char* text : {"", "17-21", "17:00", "24:00-01:00", "17:60-18:00", "17:00 21:00",
                           "1:00-2:00", "17:00-21:000", "-1:00-02:00", "aa:00-02:00"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_day_window(text).has_value());
  }
}
