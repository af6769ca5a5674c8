// What was used, by key, model, node or day: the question to the ledger's table, and its answer as
// text, CSV (RFC 4180) or JSON. Tokens are those that cost: as reported, else estimated and
// counted.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/store.h"

namespace sluice::meter {

enum class UsageBy { key, model, node, day };
enum class UsageFormat { table, csv, json };

std::optional<UsageBy> usage_by_from_text(std::string_view text);
std::optional<UsageFormat> usage_format_from_text(std::string_view text);

inline constexpr size_t kUsageRowsMax = 10'000;

struct UsageQuestion {
  UsageBy by = UsageBy::key;
  std::optional<Date> from;  // attempts started then or later
  std::optional<Date> to;    // attempts started before
  Duration day_offset;       // local time less UTC, for UsageBy::day
};

ports::SqlStatement usage_query(const UsageQuestion& question);

// "2026-11-22": the moment that day begins where local time is `day_offset` ahead of UTC.
// Errors: refused, with what to write.
Result<Date> parse_day(std::string_view text, Duration day_offset);

// `rows` answers usage_query() of the same `by`. Ends with a line break.
std::string format_usage(const ports::SqlRows& rows, UsageBy by, UsageFormat format);

}  // namespace sluice::meter
