// Finding a member by its key in JSON text that passes by, without parsing it.
//
// Sound because a quotation mark inside a JSON string is always escaped: the bytes `"key"` followed
// by a colon can only be a key. At which depth it stands is not told: use it for names that the
// OpenAI answers use once.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::upstream {

// The value's first byte after `"key" :` at or after `from`; npos if there is none.
size_t find_value(std::string_view json, std::string_view key, size_t from = 0);

// The same, of the last such member.
size_t find_last_value(std::string_view json, std::string_view key);

// The text of the object that starts at `begin` with '{', braces in strings minded; empty if it
// does not end in `json`.
std::string_view object_at(std::string_view json, size_t begin);

// The bytes of the string that starts at `begin` with '"', with its quotes; empty if unfinished.
std::string_view string_at(std::string_view json, size_t begin);

}  // namespace sluice::upstream
