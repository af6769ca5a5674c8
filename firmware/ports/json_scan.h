// Where the top-level members of a JSON object stand, without building a tree: for request bodies
// and stream events, whose bytes pass on unchanged but for an edit in place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::ports {

struct JsonMember {
  std::string key;         // unescaped
  size_t key_begin = 0;    // offset of the key's opening quote in the text
  size_t value_begin = 0;  // offset of the value's first byte
  size_t value_size = 0;   // bytes of the value; a string includes its quotes
};

struct JsonScan {
  std::vector<JsonMember> members;  // in the order of the text
  size_t close_brace = 0;           // offset of the final '}'
  const JsonMember* find(std::string_view key) const {
    for (const JsonMember& member : members) {
      if (member.key == key) return &member;
    }
    return nullptr;
  }
};

inline constexpr size_t kJsonMembersMax = 256;
inline constexpr size_t kJsonKeyMax = 4096;  // bytes of a top-level key as it is written

// The whole text is checked to be one valid JSON object. Errors: refused, with what is wrong and
// the byte offset: not an object, duplicate top-level key, too deep, too many members, not UTF-8.
Result<JsonScan> scan_json_object(std::string_view text);

// The text of a JSON string value (with its quotes). Errors: refused, if it is not a string.
Result<std::string> read_json_string(std::string_view value);
std::string write_json_string(std::string_view text);  // with quotes

}  // namespace sluice::ports
