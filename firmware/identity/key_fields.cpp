#include "firmware/identity/key_fields.h"

#include <fmt/format.h>

#include <cmath>

namespace sluice::identity {

namespace {
constexpr size_t kFieldShown = 64;  // bytes of an unknown name in an error
}

JsonFields::JsonFields(const ports::JsonValue& object) : object_(object) {
  if (object.as_object() == nullptr) error_ = "it is not a JSON object; write {\"name\": \"...\"}";
}

const ports::JsonValue* JsonFields::member(std::string_view name) {
  known_.emplace(name);
  if (!error_.empty()) return nullptr;
  const ports::JsonValue* found = object_.find(name);
  return found == nullptr || found->is_null() ? nullptr : found;
}

void JsonFields::fail(std::string_view name, std::string_view expected) {
  if (error_.empty()) error_ = fmt::format("\"{}\" must be {}", name, expected);
}

void JsonFields::text(std::string_view name, std::string* out) {
  const ports::JsonValue* value = member(name);
  if (value == nullptr) return;
  const std::string* found = value->as_text();
  if (found == nullptr) return fail(name, "a text");
  *out = *found;
}

void JsonFields::texts(std::string_view name, size_t count_max, std::vector<std::string>* out) {
  const ports::JsonValue* value = member(name);
  if (value == nullptr) return;
  const std::string expected = fmt::format("a list of at most {} texts", count_max);
  const auto* items = value->as_array();
  if (items == nullptr || items->size() > count_max) return fail(name, expected);
  std::vector<std::string> found;
  for (const ports::JsonValue& item : *items) {
    if (item.as_text() == nullptr) return fail(name, expected);
    found.push_back(*item.as_text());
  }
  *out = std::move(found);
}

void JsonFields::whole(std::string_view name, int64_t min, int64_t max, int64_t* out) {
  const ports::JsonValue* value = member(name);
  if (value == nullptr) return;
  const int64_t* found = value->as_integer();
  if (found == nullptr || *found < min || *found > max) {
    return fail(name, fmt::format("a whole number from {} to {}", min, max));
  }
  *out = *found;
}

void JsonFields::amount(std::string_view name, Money max, Money* out) {
  const ports::JsonValue* value = member(name);
  if (value == nullptr) return;
  const bool is_number = value->as_integer() != nullptr || value->as_double() != nullptr;
  const double units = object_.number(name, -1);
  if (!is_number || !(units >= 0 && units <= max.units())) {
    return fail(name, fmt::format("an amount from 0 to {}", max.units()));
  }
  *out = {std::llround(units * 1e9)};
}

void JsonFields::flag(std::string_view name, bool* out) {
  const ports::JsonValue* value = member(name);
  if (value == nullptr) return;
  const bool* found = value->as_bool();
  if (found == nullptr) return fail(name, "true or false");
  *out = *found;
}

Result<void> JsonFields::finish() const {
  if (!error_.empty()) return Error{ErrorKind::refused, "identity", error_};
  for (const auto& [name, value] : *object_.as_object()) {
    if (known_.count(name) > 0) continue;
    std::string names;
    for (const std::string& one : known_) names += (names.empty() ? "" : ", ") + one;
    return Error{
        ErrorKind::refused, "identity",
        fmt::format("\"{}\" is not known here; known are {}", name.substr(0, kFieldShown), names)};
  }
  return {};
}

}  // namespace sluice::identity
