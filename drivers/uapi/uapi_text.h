// The text protocol of userspace WireGuard, as values. Source: wireguard.com/xplatform.
// A request is "set=1" or "get=1", lines "key=value", and an empty line; an answer is lines, of
// which the last is "errno=N", and an empty line. Keys are hexadecimal. Pure functions.
// Texts hold private keys: they are SecretText, and errors never quote a line.
#pragma once

#include <string>
#include <string_view>

#include "drivers/uapi/secret_text.h"
#include "firmware/base/result.h"
#include "firmware/ports/wireguard.h"

namespace sluice::drivers {

inline constexpr size_t kUapiAnswerMax = size_t{8} * 1024 * 1024;  // some 25,000 peers
inline constexpr size_t kUapiPeersMax = 65536;
inline constexpr size_t kUapiAllowedMax = 1 << 20;  // of all peers

// Errors: refused (a value that the protocol cannot say: which).
Result<SecretText> uapi_set_text(const ports::WgChange& change);
inline constexpr std::string_view kUapiGetText = "get=1\n\n";

// Whether `text` ends an answer: after its empty line.
bool is_whole_uapi_answer(std::string_view text);

// Of a set: its errno. Errors: refused (a value was not accepted), broken (not an answer).
Result<void> parse_uapi_set_answer(std::string_view answer);
// Of a get. Lines of unknown keys are left out: a later version may have more.
// Errors: broken (not an answer, or beyond a bound), refused (its errno).
Result<ports::WgState> parse_uapi_state(std::string_view interface, std::string_view answer);

}  // namespace sluice::drivers
