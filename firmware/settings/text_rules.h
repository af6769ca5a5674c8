// What a text in the settings may look like, and what to write instead.
// A rule answers with a complaint, "<what is wrong>; <what to write>", or with nothing.
// Secrets: complaints about texts that might hold a key never repeat the text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/ports/streams.h"

namespace sluice::settings {

inline constexpr size_t kNameLengthMax = 64;
inline constexpr size_t kHostNameLengthMax = 253;
inline constexpr size_t kModelNameLengthMax = 256;
inline constexpr size_t kPathLengthMax = 1024;
inline constexpr size_t kSocketPathLengthMax = 107;  // sun_path less its final zero
inline constexpr size_t kUrlLengthMax = 2048;

struct TextRule {
  std::string_view form_en;  // "an absolute path"
  std::string_view form_zh;
  std::optional<std::string> (*complaint)(std::string_view text);
};

extern const TextRule kNameRule;       // letters, digits, - _ .
extern const TextRule kModelNameRule;  // no blanks or control characters
extern const TextRule kPathRule;       // absolute
extern const TextRule kLibraryRule;    // absolute, or a file's name alone
extern const TextRule kProgramRule;    // absolute, or a file's name alone
extern const TextRule kInterfaceRule;  // as the kernel names them; none of our own
extern const TextRule kSocketPathRule;
extern const TextRule kKeyFileRule;    // a path; never repeated in a complaint
extern const TextRule kEnvRule;        // NAME_IN_CAPITALS; never repeated
extern const TextRule kHeaderRule;     // authorization-bearer or a header name
extern const TextRule kUrlRule;        // http(s)://host[:port][/prefix]; never repeated
extern const TextRule kHostNameRule;   // a host name, `*.` and a domain, or `*`
extern const TextRule kDayWindowRule;  // HH:MM-HH:MM
extern const TextRule kKeyPathRule;    // a key of these settings, or its beginning

// The user's text in quotes, shortened, without control characters.
std::string quoted(std::string_view text);

// The known word that `word` was probably meant to be.
std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& known);

// "2s" -> 2000, "1.5 min" -> 90000; nothing if it is not a time with a unit.
std::optional<int64_t> meant_milliseconds(std::string_view text);
// "16 MiB" or "16M" -> 16777216; nothing if it is not a size with a unit.
std::optional<int64_t> meant_bytes(std::string_view text);

// Numeric address and port: 127.0.0.1:8081, [::1]:8081.
std::optional<ports::Address> parse_listen_address(std::string_view text);
bool is_loopback(const ports::Address& address);
bool is_any_address(const ports::Address& address);  // 0.0.0.0 or ::

}  // namespace sluice::settings
