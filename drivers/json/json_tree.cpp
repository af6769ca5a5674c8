#include "drivers/json/json_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/ports/json_scan.h"

namespace sluice::drivers {

using ports::JsonValue;

namespace {

constexpr size_t kLinearSearchMax = 16;  // members; beyond it a set is faster

// Where the string whose closing quote ends at `end` begins.
size_t opening_quote(std::string_view text, size_t end) {
  for (size_t at = end - 1; at > 0;) {
    --at;
    if (text[at] != '"') continue;
    size_t slashes = 0;
    while (slashes < at && text[at - 1 - slashes] == '\\') ++slashes;
    if (slashes % 2 == 0) return at;
  }
  return 0;
}

bool has_key(const JsonValue::Object& members, std::unordered_set<std::string>& keys,
             const std::string& name) {
  if (members.size() < kLinearSearchMax) {
    return std::any_of(members.begin(), members.end(),
                       [&](const JsonValue::Member& member) { return member.first == name; });
  }
  if (keys.empty()) {
    for (const JsonValue::Member& member : members) keys.insert(member.first);
  }
  return !keys.insert(name).second;
}

}  // namespace

bool JsonTree::fail(size_t at, std::string what) {
  if (!fault_) fault_ = JsonFault{std::min(at, text_.size()), std::move(what)};
  return false;
}

bool JsonTree::place(JsonValue value) {
  if (open_.empty()) {
    root_ = std::move(value);
    return true;
  }
  Open& parent = open_.back();
  if (JsonValue::Array* items = parent.value.as_array()) {
    items->push_back(std::move(value));
  } else {
    parent.value.as_object()->emplace_back(std::move(parent.key), std::move(value));
  }
  return true;
}

bool JsonTree::open(JsonValue value) {
  if (open_.size() >= static_cast<size_t>(ports::kJsonDepthMax)) {
    return fail(read_ - 1, fmt::format("nested more than {} deep", ports::kJsonDepthMax));
  }
  open_.push_back(Open{std::move(value), {}});
  return true;
}

bool JsonTree::close() {
  JsonValue value = std::move(open_.back().value);
  open_.pop_back();
  return place(std::move(value));
}

bool JsonTree::key(std::string& name) {
  Open& object = open_.back();
  if (has_key(*object.value.as_object(), object.keys, name)) {
    return fail(opening_quote(text_, read_),
                fmt::format("duplicate key {}", ports::write_json_string(name)));
  }
  object.key = std::move(name);
  return true;
}

bool JsonTree::number_unsigned(uint64_t value) {
  if (value <= static_cast<uint64_t>(INT64_MAX)) return place(static_cast<int64_t>(value));
  return place(static_cast<double>(value));
}

bool JsonTree::number_float(double value, const std::string& written) {
  if (written.find_first_of(".eE") == std::string::npos) {
    return fail(read_ - 1, "a whole number beyond 64 bits");
  }
  return place(value);
}

bool JsonTree::parse_error(size_t position, const std::string&,
                           const nlohmann::detail::exception& problem) {
  constexpr int kOutOfRange = 406;
  const size_t at = position == 0 ? 0 : position - 1;
  if (problem.id == kOutOfRange) return fail(at, "a number too large");
  return fail(at, at >= text_.size() ? "the text ends too early" : "not valid JSON");
}

}  // namespace sluice::drivers
