#include "firmware/sense/driver_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "firmware/base/text.h"
#include "firmware/sense/driver_facts.h"

namespace sluice::sense {

using ports::ConfigNode;
using Kind = ports::ConfigNode::Kind;

namespace {

bool is_word(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
  });
}

}  // namespace

void DriverSchema::fail(const ConfigNode& at, std::string_view text) {
  if (fault_) return;
  fault_ = Error{ErrorKind::refused, fmt::format("{}:{}", file_, at.line), std::string(text)};
}

bool DriverSchema::known(const ConfigNode& node, const std::vector<std::string_view>& keys) {
  if (node.kind != Kind::map) {
    fail(node, fmt::format("here stands a map; write one or more of {}", fmt::join(keys, ", ")));
    return false;
  }
  for (const auto& [key, value] : node.members) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    fail(value, fmt::format("unknown key '{}'; known are {}", key, fmt::join(keys, ", ")));
    return false;
  }
  return true;
}

std::optional<std::string> DriverSchema::text(const ConfigNode& map, std::string_view key) {
  const ConfigNode* value = map.find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind != Kind::scalar) {
    fail(*value, fmt::format("'{}' is one text", key));
    return std::nullopt;
  }
  if (value->scalar.empty() || value->scalar.size() > kDriverTextMax) {
    fail(*value, fmt::format("'{}' is a text of 1 to {} bytes", key, kDriverTextMax));
    return std::nullopt;
  }
  return value->scalar;
}

std::string DriverSchema::name(const ConfigNode& map, std::string_view key) {
  const std::optional<std::string> word = text(map, key);
  if (!word) {
    if (map.find(key) == nullptr) fail(map, fmt::format("no '{}'; write it", key));
    return {};
  }
  if (!is_word(*word)) fail(*map.find(key), fmt::format("'{}' is a name without blanks", key));
  return *word;
}

bool DriverSchema::is_path(std::string_view text) const {
  return is_word(text) && text.starts_with('/') && text.find('#') == std::string_view::npos;
}

std::optional<std::string> DriverSchema::path(const ConfigNode& map, std::string_view key) {
  std::optional<std::string> found = text(map, key);
  if (found && !is_path(*found)) {
    fail(*map.find(key), fmt::format("'{}' is a path that begins with /", key));
  }
  return found;
}

std::span<const ConfigNode> DriverSchema::items(const ConfigNode& map, std::string_view key,
                                                size_t most) {
  const ConfigNode* list = map.find(key);
  if (list == nullptr) return {};
  if (list->kind == Kind::list && !list->items.empty() && list->items.size() <= most) {
    return list->items;
  }
  fail(*list, fmt::format("'{}' is a list of 1 to {}", key, most));
  return {};
}

std::vector<std::string> DriverSchema::texts(const ConfigNode& map, std::string_view key) {
  std::vector<std::string> found;
  for (const ConfigNode& item : items(map, key, kDriverListMax)) {
    if (item.kind != Kind::scalar || item.scalar.size() > kDriverTextMax) {
      fail(item, fmt::format("each of '{}' is one text of at most {} bytes", key, kDriverTextMax));
      return {};
    }
    found.push_back(item.scalar);
  }
  return found;
}

std::vector<std::string> DriverSchema::names(const ConfigNode& map, std::string_view key) {
  std::vector<std::string> found = texts(map, key);
  if (!std::all_of(found.begin(), found.end(), is_word)) {
    fail(*map.find(key), fmt::format("each of '{}' is a name without blanks", key));
  }
  return found;
}

bool DriverSchema::flag(const ConfigNode& map, std::string_view key) {
  const std::optional<std::string> word = text(map, key);
  if (word && *word != "true" && *word != "false") {
    fail(*map.find(key), fmt::format("'{}' is true or false", key));
  }
  return word == "true";
}

std::optional<int64_t> DriverSchema::integer(const ConfigNode& map, std::string_view key,
                                             int64_t least, int64_t most) {
  const std::optional<std::string> word = text(map, key);
  if (!word) return std::nullopt;
  const std::optional<int64_t> value = to_integer(*word);
  if (value && *value >= least && *value <= most) return value;
  fail(*map.find(key), fmt::format("'{}' is a whole number from {} to {}", key, least, most));
  return std::nullopt;
}

std::optional<double> DriverSchema::number(const ConfigNode& at, std::string_view word) {
  const std::optional<double> value = to_number(word);
  if (value && std::isfinite(*value)) return value;
  fail(at, fmt::format("'{}' is not a number", word));
  return std::nullopt;
}

std::optional<size_t> DriverSchema::one_of(const ConfigNode& at, std::string_view word,
                                           std::span<const std::string_view> words) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found != words.end()) return static_cast<size_t>(found - words.begin());
  fail(at, fmt::format("there is no '{}' here; write one of {}", word, fmt::join(words, ", ")));
  return std::nullopt;
}

}  // namespace sluice::sense
