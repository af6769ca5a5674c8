// JSON as small values. Reading and writing are pure; the library behind them is in drivers/json.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::ports {

class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Member = std::pair<std::string, JsonValue>;
  using Object = std::vector<Member>;  // order is kept; keys are unique after parsing

  JsonValue() = default;                    // null
  JsonValue(bool value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  JsonValue(int value)                      // NOLINT(google-explicit-constructor)
      : value_(static_cast<int64_t>(value)) {}
  JsonValue(int64_t value) : value_(value) {}                 // NOLINT(google-explicit-constructor)
  JsonValue(double value) : value_(value) {}                  // NOLINT(google-explicit-constructor)
  JsonValue(const char* text) : value_(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  JsonValue(std::string text) : value_(std::move(text)) {}    // NOLINT(google-explicit-constructor)
  JsonValue(std::string_view text)                            // NOLINT(google-explicit-constructor)
      : value_(std::string(text)) {}
  JsonValue(Array items) : value_(std::move(items)) {}       // NOLINT(google-explicit-constructor)
  JsonValue(Object members) : value_(std::move(members)) {}  // NOLINT(google-explicit-constructor)
  static JsonValue object(std::initializer_list<Member> members) {
    return JsonValue(Object(members));
  }
  static JsonValue array() { return JsonValue(Array{}); }

  bool is_null() const { return value_.index() == 0; }
  const bool* as_bool() const { return std::get_if<bool>(&value_); }
  const int64_t* as_integer() const { return std::get_if<int64_t>(&value_); }
  const double* as_double() const { return std::get_if<double>(&value_); }
  const std::string* as_text() const { return std::get_if<std::string>(&value_); }
  const Array* as_array() const { return std::get_if<Array>(&value_); }
  const Object* as_object() const { return std::get_if<Object>(&value_); }
  Array* as_array() { return std::get_if<Array>(&value_); }
  Object* as_object() { return std::get_if<Object>(&value_); }

  const JsonValue* find(std::string_view key) const;  // null pointer if absent or not an object
  std::string_view text(std::string_view key, std::string_view fallback = "") const;
  int64_t integer(std::string_view key, int64_t fallback = 0) const;  // whole doubles count
  double number(std::string_view key, double fallback = 0) const;
  bool boolean(std::string_view key, bool fallback = false) const;
  void add(std::string key, JsonValue value);  // on an object (a null becomes one)
  void push(JsonValue value);                  // on an array (a null becomes one)

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

inline constexpr int kJsonDepthMax = 64;

// Errors: broken, with the byte offset. Refuses duplicate keys and nesting beyond kJsonDepthMax.
Result<JsonValue> parse_json(std::string_view text);

// Compact, one line, valid UTF-8 (a bad byte becomes U+FFFD); NaN and infinities become null.
std::string to_json(const JsonValue& value);

}  // namespace sluice::ports
