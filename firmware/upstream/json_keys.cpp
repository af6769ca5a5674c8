#include "firmware/upstream/json_keys.h"

namespace sluice::upstream {

namespace {

constexpr size_t kNone = std::string_view::npos;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

size_t skip_space(std::string_view json, size_t at) {
  while (at < json.size() && is_space(json[at])) ++at;
  return at;
}

// `at` is where `key` was found without its quotes; the value's place if it is a key there.
size_t value_after(std::string_view json, size_t at, size_t key_size) {
  if (at == 0 || json[at - 1] != '"') return kNone;
  if (at >= 2 && json[at - 2] == '\\') return kNone;
  size_t next = at + key_size;
  if (next >= json.size() || json[next] != '"') return kNone;
  next = skip_space(json, next + 1);
  if (next >= json.size() || json[next] != ':') return kNone;
  next = skip_space(json, next + 1);
  return next < json.size() ? next : kNone;
}

}  // namespace

size_t find_value(std::string_view json, std::string_view key, size_t from) {
  for (size_t at = json.find(key, from); at != kNone; at = json.find(key, at + 1)) {
    const size_t value = value_after(json, at, key.size());
    if (value != kNone) return value;
  }
  return kNone;
}

size_t find_last_value(std::string_view json, std::string_view key) {
  for (size_t at = json.rfind(key); at != kNone; at = at == 0 ? kNone : json.rfind(key, at - 1)) {
    const size_t value = value_after(json, at, key.size());
    if (value != kNone) return value;
  }
  return kNone;
}

bool MemberScan::next() {
  while (true) {
    const size_t colon = json_.find(':', at_);
    if (colon == kNone) return false;
    at_ = colon + 1;
    size_t end = colon;
    while (end > 0 && is_space(json_[end - 1])) --end;
    if (end == 0 || json_[end - 1] != '"') continue;
    value_ = skip_space(json_, at_);
    if (value_ == json_.size()) continue;
    key_end_ = end - 1;
    return true;
  }
}

bool MemberScan::is(std::string_view key) const {
  if (key_end_ <= key.size()) return false;
  const size_t begin = key_end_ - key.size();
  if (json_[begin - 1] != '"' || json_.compare(begin, key.size(), key) != 0) return false;
  return begin < 2 || json_[begin - 2] != '\\';
}

std::string_view string_at(std::string_view json, size_t begin) {
  if (begin >= json.size() || json[begin] != '"') return {};
  for (size_t at = begin + 1; at < json.size(); ++at) {
    if (json[at] == '\\') {
      ++at;
    } else if (json[at] == '"') {
      return json.substr(begin, at + 1 - begin);
    }
  }
  return {};
}

std::string_view object_at(std::string_view json, size_t begin) {
  if (begin >= json.size() || json[begin] != '{') return {};
  int depth = 0;
  for (size_t at = begin; at < json.size(); ++at) {
    if (json[at] == '"') {
      const std::string_view text = string_at(json, at);
      if (text.empty()) return {};
      at += text.size() - 1;
    } else if (json[at] == '{') {
      ++depth;
    } else if (json[at] == '}' && --depth == 0) {
      return json.substr(begin, at + 1 - begin);
    }
  }
  return {};
}

}  // namespace sluice::upstream
