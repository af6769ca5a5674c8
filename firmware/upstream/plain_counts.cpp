#include "firmware/upstream/plain_counts.h"

#include <charconv>

namespace sluice::upstream {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<PlainCounts> PlainCounts::read(std::string_view object) {
  PlainCounts counts;
  counts.rest_ = object;
  if (!counts.read_object({}, false)) return std::nullopt;
  const bool at_end = counts.rest_.find_first_not_of(" \t\r\n") == std::string_view::npos;
  return at_end ? std::optional<PlainCounts>(counts) : std::nullopt;
}

bool PlainCounts::take(char wanted) {
  const size_t at = rest_.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos || rest_[at] != wanted) return false;
  rest_.remove_prefix(at + 1);
  return true;
}

bool PlainCounts::take_word(std::string_view word) {
  if (!rest_.starts_with(word)) return false;
  rest_.remove_prefix(word.size());
  return true;
}

bool PlainCounts::read_object(std::string_view outer, bool inside) {
  if (!take('{')) return false;
  if (take('}')) return true;
  do {
    if (!read_member(outer, inside)) return false;
  } while (take(','));
  return take('}');
}

std::optional<std::string_view> PlainCounts::read_key() {
  if (!take('"')) return std::nullopt;
  size_t size = 0;
  while (size < rest_.size() &&
         (rest_[size] == '_' || (rest_[size] >= 'a' && rest_[size] <= 'z'))) {
    ++size;
  }
  if (size == 0 || size == rest_.size() || rest_[size] != '"') return std::nullopt;
  const std::string_view key = rest_.substr(0, size);
  rest_.remove_prefix(size + 1);
  return key;
}

bool PlainCounts::read_member(std::string_view outer, bool inside) {
  const std::optional<std::string_view> key = read_key();
  if (!key || count_ == kMembersMax || !take(':')) return false;
  for (size_t i = 0; i < count_; ++i) {
    if (members_[i].key == *key && members_[i].outer == outer) return false;
  }
  Member& member = members_[count_++];
  member.outer = outer;
  member.key = *key;
  return read_value(member, inside);
}

bool PlainCounts::read_value(Member& member, bool inside) {
  const size_t at = rest_.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos) return false;
  rest_.remove_prefix(at);
  if (rest_.front() == '{') return !inside && read_object(member.key, true);
  if (rest_.front() == '-' || is_digit(rest_.front())) return read_number(member);
  return take_word("null") || take_word("true") || take_word("false");
}

bool PlainCounts::read_number(Member& member) {
  const size_t sign = rest_.front() == '-' ? 1 : 0;
  size_t end = sign;
  while (end < rest_.size() && is_digit(rest_[end])) ++end;
  const size_t digits = end - sign;
  if (digits == 0 || digits > kDigitsMax || (digits > 1 && rest_[sign] == '0')) return false;
  if (end < rest_.size() && (rest_[end] == '.' || rest_[end] == 'e' || rest_[end] == 'E')) {
    return false;
  }
  std::from_chars(rest_.data(), rest_.data() + end, member.number);
  member.is_number = true;
  rest_.remove_prefix(end);
  return true;
}

const PlainCounts::Member* PlainCounts::find(std::string_view outer, std::string_view key) const {
  for (size_t i = 0; i < count_; ++i) {
    const Member& member = members_[i];
    if (member.is_number && member.key == key && member.outer == outer) return &member;
  }
  return nullptr;
}

int64_t PlainCounts::integer_in(std::string_view outer, std::string_view key) const {
  const Member* found = find(outer, key);
  return found == nullptr ? 0 : found->number;
}

}  // namespace sluice::upstream
