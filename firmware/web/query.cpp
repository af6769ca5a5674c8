#include "firmware/web/query.h"

#include <fmt/format.h>

#include <array>

#include "firmware/base/text.h"

namespace sluice::web {

namespace {

constexpr const char* kWhere = "web";
constexpr std::array<std::string_view, 4> kBy = {"key", "model", "node", "day"};
constexpr std::array<std::string_view, 3> kFormats = {"table", "csv", "json"};

Error refused(std::string text) { return {ErrorKind::refused, kWhere, std::move(text)}; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The place of `word` in `words`; 0 if the word is empty.
template <size_t kCount>
std::optional<size_t> place_of(std::string_view word,
                               const std::array<std::string_view, kCount>& words) {
  if (word.empty()) return 0;
  for (size_t i = 0; i < kCount; ++i) {
    if (words[i] == word) return i;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

Result<Query> Query::parse(std::string_view text) {
  Query query;
  for (const std::string_view part : split(text, '&')) {
    if (part.empty()) continue;
    if (query.pairs_.size() == kQueryPairsMax) {
      return refused(fmt::format("the query has more than {} parts", kQueryPairsMax));
    }
    const size_t equals = part.find('=');
    const bool has_value = equals != std::string_view::npos;
    const auto name = percent_decoded(part.substr(0, equals));
    const auto value = percent_decoded(has_value ? part.substr(equals + 1) : "");
    if (!name || !value) return refused("the query has a % that no two hexadecimal digits follow");
    query.pairs_.emplace_back(*name, *value);
  }
  return query;
}

std::string_view Query::get(std::string_view name) const {
  for (const auto& [own, value] : pairs_) {
    if (own == name) return value;
  }
  return "";
}

Result<bool> Query::flag(std::string_view name) const {
  const std::string_view value = get(name);
  if (value.empty() || value == "0") return false;
  if (value == "1") return true;
  return refused(fmt::format("{}= must be 0 or 1", name));
}

Result<int64_t> Query::integer(std::string_view name, int64_t fallback, int64_t least,
                               int64_t most) const {
  const std::string_view value = get(name);
  if (value.empty()) return fallback;
  const auto number = to_integer(value);
  if (number && *number >= least && *number <= most) return *number;
  return refused(fmt::format("{}= must be a whole number from {} to {}", name, least, most));
}

Result<UsageQuery> usage_query(const Query& query) {
  UsageQuery usage;
  const auto by = place_of(query.get("by"), kBy);
  if (!by) return refused("by= must be key, model, node or day");
  const auto format = place_of(query.get("format"), kFormats);
  if (!format) return refused("format= must be table, csv or json");
  usage.by = static_cast<UsageBy>(*by);
  usage.format = static_cast<UsageFormat>(*format);
  usage.from_day = query.get("from");
  usage.to_day = query.get("to");
  return usage;
}

}  // namespace sluice::web
