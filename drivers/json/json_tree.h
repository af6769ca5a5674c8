// Builds a JsonValue from nlohmann's events, refusing what the library alone would let pass:
// duplicate keys, deep nesting, whole numbers beyond 64 bits. Never throws for what a text holds.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "firmware/ports/json.h"

namespace sluice::drivers {

struct JsonFault {
  size_t at = 0;     // byte offset
  std::string what;  // never the text's own content, except a duplicate key
};

class JsonTree : public nlohmann::json_sax<nlohmann::json> {
 public:
  // `read` counts the bytes the library has taken so far. Both must outlive the tree.
  JsonTree(std::string_view text, const size_t& read) : text_(text), read_(read) {}

  const std::optional<JsonFault>& fault() const { return fault_; }
  ports::JsonValue take() { return std::move(root_); }

  bool null() override { return place({}); }
  bool boolean(bool value) override { return place(value); }
  bool number_integer(int64_t value) override { return place(value); }
  bool number_unsigned(uint64_t value) override;
  bool number_float(double value, const std::string& written) override;
  bool string(std::string& value) override { return place(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) override { return false; }  // not part of JSON text
  bool start_object(size_t) override { return open(ports::JsonValue::Object{}); }
  bool key(std::string& name) override;
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(ports::JsonValue::Array{}); }
  bool end_array() override { return close(); }
  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::detail::exception& problem) override;

 private:
  struct Open {  // an object or array whose end has not come yet
    ports::JsonValue value;
    std::string key;                         // object: of the member whose value comes next
    std::unordered_set<std::string> keys{};  // object: filled when it has many members
  };

  bool fail(size_t at, std::string what);
  bool place(ports::JsonValue value);
  bool open(ports::JsonValue value);
  bool close();

  std::string_view text_;
  const size_t& read_;
  std::vector<Open> open_;
  ports::JsonValue root_;
  std::optional<JsonFault> fault_;
};

}  // namespace sluice::drivers
