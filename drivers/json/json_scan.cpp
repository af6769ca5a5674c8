#include "firmware/ports/json_scan.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "drivers/json/object_walk.h"
#include "firmware/ports/json.h"

namespace sluice::ports {

namespace {

constexpr size_t kOnStackMax = 4096;  // bytes; most stream events and many requests

Error refused(std::string text) { return {ErrorKind::refused, "json", std::move(text)}; }

bool is_plain(std::string_view inside) {  // no escapes; the text is known to be valid
  return inside.find('\\') == std::string_view::npos;
}

// simdjson counts an empty innermost list or object as no level: the bound is one wider here, and
// the walk over the members tells the difference.
constexpr size_t kLibraryDepthMax = static_cast<size_t>(kJsonDepthMax) + 1;

// simdjson reads past the end of its input, into padding: the text is copied once.
bool is_valid_json(std::string_view text) {
  simdjson::dom::parser parser;
  if (parser.allocate(std::max<size_t>(text.size(), 64), kLibraryDepthMax) != simdjson::SUCCESS) {
    return false;
  }
  std::array<char, kOnStackMax + simdjson::SIMDJSON_PADDING> small;
  std::unique_ptr<char[]> large;
  char* copy = small.data();
  if (text.size() > kOnStackMax) {
    large = std::make_unique_for_overwrite<char[]>(text.size() + simdjson::SIMDJSON_PADDING);
    copy = large.get();
  }
  std::memcpy(copy, text.data(), text.size());
  std::memset(copy + text.size(), ' ', simdjson::SIMDJSON_PADDING);
  return parser.parse(copy, text.size(), false).error() == simdjson::SUCCESS;
}

// simdjson says what is wrong but not where: the slower reader finds the place.
Error invalid(std::string_view text) {
  const Result<JsonValue> slow = parse_json(text);
  return refused(slow ? "not valid JSON at byte 0" : slow.error().text);
}

Result<std::string> read_key(std::string_view quoted) {
  const std::string_view inside = quoted.substr(1, quoted.size() - 2);
  if (is_plain(inside)) return std::string(inside);
  return read_json_string(quoted);
}

}  // namespace

Result<JsonScan> scan_json_object(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos)
    return refused("an empty text, not a JSON object, at byte 0");
  if (!is_valid_json(text)) return invalid(text);
  if (text[first] != '{') return refused(fmt::format("not a JSON object at byte {}", first));
  JsonScan scan;
  drivers::ObjectWalk walk(text);
  drivers::ObjectWalk::Member place;
  while (walk.next(&place)) {
    if (scan.members.size() == kJsonMembersMax) {
      return refused(
          fmt::format("more than {} members at byte {}", kJsonMembersMax, place.key_begin));
    }
    if (place.key_end - place.key_begin > kJsonKeyMax) {
      return refused(fmt::format("a key is too long at byte {}", place.key_begin));
    }
    auto key = read_key(text.substr(place.key_begin, place.key_end - place.key_begin));
    if (!key) return invalid(text);
    if (scan.find(*key) != nullptr) {
      return refused(
          fmt::format("duplicate key {} at byte {}", write_json_string(*key), place.key_begin));
    }
    scan.members.push_back(
        {*std::move(key), place.key_begin, place.value_begin, place.value_end - place.value_begin});
  }
  if (walk.deepest() > kJsonDepthMax) return invalid(text);
  scan.close_brace = walk.close_brace();
  return scan;
}

Result<std::string> read_json_string(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') {
    return refused("not a JSON string at byte 0");
  }
  const std::string_view inside = value.substr(1, value.size() - 2);
  const auto means_itself = [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; };
  if (std::all_of(inside.begin(), inside.end(), means_itself)) return std::string(inside);
  Result<JsonValue> parsed = parse_json(value);
  if (!parsed) return refused(parsed.error().text);
  return *parsed->as_text();
}

std::string write_json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sluice::ports
