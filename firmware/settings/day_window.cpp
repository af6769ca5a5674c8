#include "firmware/settings/day_window.h"

#include "firmware/base/text.h"

namespace sluice::settings {

namespace {

constexpr int64_t kMinutesOfDay = 24 * 60;

// "17:05" -> 1025
std::optional<int> minute_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const std::optional<int64_t> hour = to_integer(text.substr(0, 2));
  const std::optional<int64_t> minute = to_integer(text.substr(3));
  if (!hour || !minute || *hour < 0 || *hour > 23 || *minute < 0 || *minute > 59) {
    return std::nullopt;
  }
  return static_cast<int>(*hour * 60 + *minute);
}

}  // namespace

std::optional<DayWindow> parse_day_window(std::string_view text) {
  if (text.size() != 11 || text[5] != '-') return std::nullopt;
  const std::optional<int> from = minute_of(text.substr(0, 5));
  const std::optional<int> to = minute_of(text.substr(6));
  if (!from || !to) return std::nullopt;
  return DayWindow{*from, *to};
}

bool is_within(const DayWindow& window, Date now) {
  const auto minute = static_cast<int>(now.as_seconds() / 60 % kMinutesOfDay);
  if (window.from_minute == window.to_minute) return true;
  if (window.from_minute < window.to_minute) {
    return minute >= window.from_minute && minute < window.to_minute;
  }
  return minute >= window.from_minute || minute < window.to_minute;
}

}  // namespace sluice::settings
