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

// Every `"key" :` of a text in one pass, whatever its key; what find_value() finds, and no other.
class MemberScan {
 public:
  explicit MemberScan(std::string_view json) : json_(json) {}

  bool next();  // false: there are no more
  bool is(std::string_view key) const;
  size_t value() const { return value_; }  // its first byte

 private:
  std::string_view json_;
  size_t at_ = 0;
  size_t key_end_ = 0;  // its closing quote
  size_t value_ = 0;
};

// The text of the object that starts at `begin` with '{', braces in strings minded; empty if it
// does not end in `json`.
std::string_view object_at(std::string_view json, size_t begin);

// The bytes of the string that starts at `begin` with '"', with its quotes; empty if unfinished.
std::string_view string_at(std::string_view json, size_t begin);

}  // namespace sluice::upstream
