// The part of a target after "?": name=value pairs, percent-encoded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/web/box_commands.h"

namespace sluice::web {

inline constexpr size_t kQueryPairsMax = 32;

// Nothing: a broken escape. A "+" stays a plus.
std::optional<std::string> percent_decoded(std::string_view text);

class Query {
 public:
  // Errors: refused.
  static Result<Query> parse(std::string_view text);

  // Empty if absent; of a name that stands twice, the first.
  std::string_view get(std::string_view name) const;
  Result<bool> flag(std::string_view name) const;  // 0 or 1; absent = false
  // `fallback` if absent. Errors: refused, if it is not a whole number from `least` to `most`.
  Result<int64_t> integer(std::string_view name, int64_t fallback, int64_t least,
                          int64_t most) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

// ?by=key|model|node|day&from=2026-11-01&to=2026-11-30&format=table|csv|json; the days are passed
// on as they are. Errors: refused.
Result<UsageQuery> usage_query(const Query& query);

}  // namespace sluice::web
