// The rules for the first line of a message (RFC 9112 sections 2.3, 3 and 4), stricter than it
// demands: one blank between the parts, capital methods, targets in origin form only ("*" for
// OPTIONS), and no target whose path could be read as another one after decoding.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sluice::drivers {

inline constexpr size_t kMethodMax = 24;  // octets; longer than any registered method

struct HeadFault {
  int status = 400;       // what a server answers
  const char* text = "";  // lives for ever; quotes nothing of the message
};

// Nothing = the line is good and the out parameters are set. `line` holds no control octet.
std::optional<HeadFault> check_request_line(std::string_view line, int* minor_version);
std::optional<HeadFault> check_status_line(std::string_view line, int* minor_version, int* status);

// Origin form, percent escapes whole and without NUL, no dot segments, no overlong UTF-8.
bool is_safe_target(std::string_view target);

}  // namespace sluice::drivers
