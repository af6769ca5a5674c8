#include "firmware/ports/json.h"

#include <cmath>

namespace sluice::ports {

const JsonValue* JsonValue::find(std::string_view key) const {
  const Object* members = as_object();
  if (members == nullptr) return nullptr;
  for (const Member& member : *members) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

std::string_view JsonValue::text(std::string_view key, std::string_view fallback) const {
  const JsonValue* value = find(key);
  const std::string* found = value == nullptr ? nullptr : value->as_text();
  return found == nullptr ? fallback : std::string_view(*found);
}

int64_t JsonValue::integer(std::string_view key, int64_t fallback) const {
  const JsonValue* value = find(key);
  if (value == nullptr) return fallback;
  if (const int64_t* whole = value->as_integer()) return *whole;
  const double* real = value->as_double();
  if (real == nullptr || std::floor(*real) != *real || std::abs(*real) > 9e15) return fallback;
  return static_cast<int64_t>(*real);
}

double JsonValue::number(std::string_view key, double fallback) const {
  const JsonValue* value = find(key);
  if (value == nullptr) return fallback;
  if (const int64_t* whole = value->as_integer()) return static_cast<double>(*whole);
  const double* real = value->as_double();
  return real == nullptr ? fallback : *real;
}

bool JsonValue::boolean(std::string_view key, bool fallback) const {
  const JsonValue* value = find(key);
  const bool* found = value == nullptr ? nullptr : value->as_bool();
  return found == nullptr ? fallback : *found;
}

void JsonValue::add(std::string key, JsonValue value) {
  if (is_null()) value_ = Object{};
  Object* members = as_object();
  ENSURE(members != nullptr);
  members->emplace_back(std::move(key), std::move(value));
}

void JsonValue::push(JsonValue value) {
  if (is_null()) value_ = Array{};
  Array* items = as_array();
  ENSURE(items != nullptr);
  items->push_back(std::move(value));
}

}  // namespace sluice::ports
