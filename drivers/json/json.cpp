#include "firmware/ports/json.h"

#include <fmt/format.h>

#include <iterator>

#include "drivers/json/json_tree.h"

namespace sluice::ports {

namespace {

using drivers::JsonFault;
using drivers::JsonTree;

// Bytes of the text for nlohmann's reader, counted as they are taken.
struct CountedBytes {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  size_t* read = nullptr;

  reference operator*() const { return *at; }
  CountedBytes& operator++() {
    ++at;
    ++*read;
    return *this;
  }
  CountedBytes operator++(int) {
    CountedBytes before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountedBytes& other) const { return at == other.at; }
};

Error broken_at(const JsonFault& fault) {
  return {ErrorKind::broken, "json", fmt::format("{} at byte {}", fault.what, fault.at)};
}

// What the library would pass over in silence: a byte order mark, and a NUL, which ends its input.
std::optional<JsonFault> find_skipped_byte(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) return JsonFault{0, "a byte order mark"};
  const size_t nul = text.find('\0');
  if (nul != std::string_view::npos) return JsonFault{nul, "a NUL"};
  return std::nullopt;
}

nlohmann::ordered_json to_library(const JsonValue& value) {
  if (const auto* items = value.as_array()) {
    nlohmann::ordered_json::array_t out;
    out.reserve(items->size());
    for (const JsonValue& item : *items) out.push_back(to_library(item));
    return out;
  }
  if (const auto* members = value.as_object()) {
    nlohmann::ordered_json::object_t out;
    out.reserve(members->size());
    for (const auto& [key, member] : *members) out.push_back({key, to_library(member)});
    return out;
  }
  if (const std::string* text = value.as_text()) return *text;
  if (const int64_t* whole = value.as_integer()) return *whole;
  if (const double* real = value.as_double()) return *real;
  if (const bool* truth = value.as_bool()) return *truth;
  return nullptr;
}

}  // namespace

Result<JsonValue> parse_json(std::string_view text) {
  if (const auto skipped = find_skipped_byte(text)) return broken_at(*skipped);
  size_t read = 0;
  JsonTree tree(text, read);
  const CountedBytes begin{text.data(), &read};
  const CountedBytes end{text.data() + text.size(), &read};
  const bool whole = nlohmann::json::sax_parse(begin, end, &tree);
  if (tree.fault()) return broken_at(*tree.fault());
  ENSURE(whole);
  return tree.take();
}

std::string to_json(const JsonValue& value) {
  return to_library(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sluice::ports
