#include "drivers/json/object_walk.h"

#include <algorithm>
#include <cstring>

#include "firmware/base/check.h"

namespace sluice::drivers {

ObjectWalk::ObjectWalk(std::string_view text) : text_(text) {
  skip_blanks();
  ENSURE(at_ < text_.size() && text_[at_] == '{');
  ++at_;
}

bool ObjectWalk::next(Member* member) {
  skip_blanks();
  if (text_[at_] == ',') {
    ++at_;
    skip_blanks();
  }
  if (text_[at_] == '}') return false;
  member->key_begin = at_;
  skip_string();
  member->key_end = at_;
  skip_blanks();
  ++at_;  // the colon
  skip_blanks();
  member->value_begin = at_;
  skip_value();
  member->value_end = at_;
  return true;
}

void ObjectWalk::skip_blanks() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
    ++at_;
  }
}

void ObjectWalk::skip_string() {
  size_t from = at_ + 1;
  while (true) {
    const void* found = std::memchr(text_.data() + from, '"', text_.size() - from);
    ENSURE(found != nullptr);
    const auto quote = static_cast<size_t>(static_cast<const char*>(found) - text_.data());
    size_t slashes = 0;
    while (text_[quote - 1 - slashes] == '\\')
      ++slashes;  // ends at the opening quote at the latest
    from = quote + 1;
    if (slashes % 2 == 0) break;
  }
  at_ = from;
}

void ObjectWalk::skip_value() {
  const char first = text_[at_];
  if (first == '"') return skip_string();
  if (first == '{' || first == '[') return skip_nest();
  at_ = text_.find_first_of(",} \t\r\n", at_);
  ENSURE(at_ != std::string_view::npos);
}

void ObjectWalk::skip_nest() {
  int depth = 1;
  do {
    ENSURE(at_ < text_.size());
    const char c = text_[at_];
    if (c == '"') {
      skip_string();
      continue;
    }
    if (c == '{' || c == '[') deepest_ = std::max(deepest_, ++depth);
    if (c == '}' || c == ']') --depth;
    ++at_;
  } while (depth > 1);
}

}  // namespace sluice::drivers
