// The keys' file: {"version": 1, "keys": [...]}, one object for each key, dates in microseconds
// since 1970. Read strictly: a file that is not wholly understood is an error, never "no keys".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/identity/api_key.h"

namespace sluice::identity {

inline constexpr size_t kKeysMax = 10'000;  // revoked ones included

std::string write_key_file(const std::vector<ApiKey>& keys);
Result<std::vector<ApiKey>> read_key_file(std::string_view text);  // broken, and where

}  // namespace sluice::identity
