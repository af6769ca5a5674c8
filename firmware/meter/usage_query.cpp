#include "firmware/meter/usage_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "firmware/base/check.h"
#include "firmware/base/text.h"
#include "firmware/base/units.h"
#include "firmware/meter/attempt.h"
#include "firmware/ports/json.h"

namespace sluice::meter {

namespace {

constexpr int kMoneyDigits = 9;  // of a unit, in nano
constexpr std::string_view kCost = "cost_nano";

// The rule of billed_tokens() in SQL.
constexpr const char* kSums =
    "COUNT(DISTINCT request) AS requests, COUNT(*) AS attempts, "
    "SUM(CASE WHEN in_reported IS NOT NULL THEN in_reported "
    "WHEN outcome IN ('refused','busy','failed','interrupted') THEN 0 "
    "ELSE prompt_estimate END) AS in_tokens, "
    "SUM(CASE WHEN out_reported IS NOT NULL THEN out_reported "
    "WHEN outcome IN ('refused','busy','failed','interrupted') THEN 0 "
    "ELSE out_counted END) AS out_tokens, "
    "SUM(MIN(COALESCE(cached_reported, 0), COALESCE(in_reported, 0))) AS cached_tokens, "
    "currency, SUM(cost_nano) AS cost_nano";

std::string_view name_of(UsageBy by) {
  switch (by) {
    case UsageBy::key:
      return "key";
    case UsageBy::model:
      return "model";
    case UsageBy::node:
      return "node";
    case UsageBy::day:
      return "day";
  }
  return "key";
}

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int64_t days_in_month(int64_t year, int64_t month) {
  constexpr std::array<int64_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
}

// H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil; years from 1970.
int64_t days_since_1970(int64_t year, int64_t month, int64_t day) {
  if (month <= 2) --year;
  const int64_t era = year / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

int64_t whole(const ports::SqlValue& value) {
  const int64_t* number = std::get_if<int64_t>(&value);
  return number == nullptr ? 0 : *number;
}

std::string money(int64_t nano, int digits) {
  constexpr int64_t kUnit = 1'000'000'000;
  std::string text = fmt::format("{}.{:09}", nano / kUnit, nano % kUnit);
  text.resize(text.size() - static_cast<size_t>(kMoneyDigits - digits));
  return text;
}

std::string cell(const ports::SqlValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return std::get_if<int64_t>(&value) == nullptr ? "" : std::to_string(whole(value));
}

// The first row is the heads. Money in units, with `money_digits` behind the point.
std::vector<std::vector<std::string>> cells(const ports::SqlRows& rows, int money_digits) {
  std::vector<std::vector<std::string>> lines;
  lines.push_back(rows.columns);
  for (std::string& head : lines.front()) {
    if (head == kCost) head = "cost";
  }
  for (const auto& row : rows.rows) {
    ENSURE(row.size() == rows.columns.size());
    std::vector<std::string> line;
    for (size_t i = 0; i < row.size(); ++i) {
      line.push_back(rows.columns[i] == kCost ? money(whole(row[i]), money_digits) : cell(row[i]));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

// Width on a terminal, nearly: a byte that goes on a UTF-8 character takes none, and one of three
// or four bytes takes two columns, as Chinese does.
size_t width_of(std::string_view text) {
  size_t width = 0;
  for (char c : text) {
    const unsigned byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0u) != 0x80u) width += byte >= 0xe0u ? 2 : 1;
  }
  return width;
}

// A control character would move the cursor of who reads the table.
std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return out;
}

std::string as_table(const ports::SqlRows& rows) {
  std::vector<std::vector<std::string>> lines = cells(rows, 6);
  std::vector<size_t> widths(rows.columns.size(), 0);
  for (auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      line[i] = printable(line[i]);
      widths[i] = std::max(widths[i], width_of(line[i]));
    }
  }
  std::string out;
  for (const auto& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string blanks(widths[i] - width_of(line[i]), ' ');
      if (i > 0) text += "  ";
      text += i == 0 ? line[i] + blanks : blanks + line[i];
    }
    out += text + '\n';
  }
  return out;
}

std::string as_csv(const ports::SqlRows& rows) {
  std::string out;
  for (const auto& line : cells(rows, kMoneyDigits)) {
    for (size_t i = 0; i < line.size(); ++i) {
      if (i > 0) out += ',';
      if (line[i].find_first_of(",\"\r\n") == std::string::npos) {
        out += line[i];
        continue;
      }
      out += '"';
      for (char c : line[i]) out.append(c == '"' ? 2 : 1, c);
      out += '"';
    }
    out += "\r\n";
  }
  return out;
}

std::string as_json(const ports::SqlRows& rows, UsageBy by) {
  ports::JsonValue list = ports::JsonValue::array();
  for (const auto& row : rows.rows) {
    ports::JsonValue::Object members;
    for (size_t i = 0; i < row.size(); ++i) {
      const auto* number = std::get_if<int64_t>(&row[i]);
      members.emplace_back(rows.columns[i], number == nullptr ? ports::JsonValue(cell(row[i]))
                                                              : ports::JsonValue(*number));
    }
    list.push(std::move(members));
  }
  return ports::to_json(ports::JsonValue::object(
             {{"by", name_of(by)}, {"cut", rows.cut}, {"usage", std::move(list)}})) +
         "\n";
}

}  // namespace

std::optional<UsageBy> usage_by_from_text(std::string_view text) {
  for (UsageBy by : {UsageBy::key, UsageBy::model, UsageBy::node, UsageBy::day}) {
    if (text == name_of(by)) return by;
  }
  return std::nullopt;
}

std::optional<UsageFormat> usage_format_from_text(std::string_view text) {
  if (text == "table") return UsageFormat::table;
  if (text == "csv") return UsageFormat::csv;
  if (text == "json") return UsageFormat::json;
  return std::nullopt;
}

ports::SqlStatement usage_query(const UsageQuestion& question) {
  ports::SqlStatement statement;
  std::string group = fmt::format("\"{}\"", name_of(question.by));
  if (question.by == UsageBy::day) {
    group = "date((at_us + ?) / 1000000, 'unixepoch')";
    statement.values.emplace_back(question.day_offset.as_us());
  }
  std::string where;
  if (question.from) {
    where = " WHERE at_us >= ?";
    statement.values.emplace_back(question.from->as_us());
  }
  if (question.to) {
    where += where.empty() ? " WHERE at_us < ?" : " AND at_us < ?";
    statement.values.emplace_back(question.to->as_us());
  }
  std::string outcomes;
  for (int i = 0; i < kOutcomeCount; ++i) {
    const char* outcome = to_text(static_cast<Outcome>(i));
    outcomes += fmt::format(", SUM(outcome = '{0}') AS {0}", outcome);
  }
  statement.sql = fmt::format(
      "SELECT {} AS \"{}\", {}{} FROM attempts{} GROUP BY 1, currency "
      "ORDER BY 1, currency",
      group, name_of(question.by), kSums, outcomes, where);
  return statement;
}

Result<Date> parse_day(std::string_view text, Duration day_offset) {
  const Error error{ErrorKind::refused, "meter",
                    fmt::format("\"{}\" is not a day; write it as 2026-11-22", text.substr(0, 32))};
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return error;
  const std::string_view year = text.substr(0, 4);
  const std::string_view month = text.substr(5, 2);
  const std::string_view day = text.substr(8, 2);
  if (!is_digits(year) || !is_digits(month) || !is_digits(day)) return error;
  const int64_t y = to_integer(year).value_or(0);
  const int64_t m = to_integer(month).value_or(0);
  const int64_t d = to_integer(day).value_or(0);
  if (y < 1970 || m < 1 || m > 12 || d < 1 || d > days_in_month(y, m)) return error;
  return Date::from_us(days_since_1970(y, m, d) * 86'400'000'000 - day_offset.as_us());
}

std::string format_usage(const ports::SqlRows& rows, UsageBy by, UsageFormat format) {
  switch (format) {
    case UsageFormat::table:
      return as_table(rows) + (rows.cut ? "(more rows were left out; ask for fewer days)\n" : "");
    case UsageFormat::csv:
      return as_csv(rows);
    case UsageFormat::json:
      return as_json(rows, by);
  }
  return "";
}

}  // namespace sluice::meter
