// A time of day, every day, in UTC: "17:00-21:00". It may pass midnight: "22:30-04:00".
#pragma once

#include <optional>
#include <string_view>

#include "firmware/base/time.h"

namespace sluice::settings {

struct DayWindow {
  int from_minute = 0;  // of the day; included
  int to_minute = 0;    // not included; as much as from_minute: the whole day
  bool operator==(const DayWindow&) const = default;
};

std::optional<DayWindow> parse_day_window(std::string_view text);
bool is_within(const DayWindow& window, Date now);

}  // namespace sluice::settings
