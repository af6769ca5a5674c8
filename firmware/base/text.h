// Small operations on text that several folders need. ASCII only: protocol text, not prose.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

bool equal_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);
std::string lower(std::string_view text);
std::string_view trim(std::string_view text);  // spaces, tabs, CR, LF at both ends
std::vector<std::string_view> split(std::string_view text, char separator);

// The whole of `text` as a number, or nothing; no sign "+", no blanks, no overflow.
std::optional<int64_t> to_integer(std::string_view text);
std::optional<double> to_number(std::string_view text);  // finite or not, e.g. "NaN", "+Inf"

// RFC 3339 in UTC with milliseconds, e.g. 2026-11-22T01:02:03.456Z.
std::string to_rfc3339(int64_t us_since_1970);

}  // namespace sluice
