// The top-level members of an object in a text that is known to be valid JSON.
// JSON grammar: RFC 8259. On valid text, strings and brackets are all that has to be told apart.
#pragma once

#include <string_view>

namespace sluice::drivers {

class ObjectWalk {
 public:
  struct Member {
    size_t key_begin = 0;
    size_t key_end = 0;  // past the closing quote
    size_t value_begin = 0;
    size_t value_end = 0;
  };

  // `text` is one valid JSON object, blanks around it allowed.
  explicit ObjectWalk(std::string_view text);

  bool next(Member* member);                  // false: the object ended
  size_t close_brace() const { return at_; }  // after next() gave false
  int deepest() const { return deepest_; }    // levels met so far; the object itself is one

 private:
  void skip_blanks();
  void skip_string();  // from the opening quote to past the closing one
  void skip_value();
  void skip_nest();

  std::string_view text_;
  size_t at_ = 0;
  int deepest_ = 1;
};

}  // namespace sluice::drivers
