#include "firmware/meter/spend.h"

#include <utility>

#include "firmware/base/check.h"
#include "firmware/base/text.h"
#include "firmware/meter/usage_query.h"

namespace sluice::meter {

namespace {

constexpr Duration kBeyondAnyMonth = Duration::seconds(32 * 24 * 3600);

}  // namespace

Date month_of(Date date) {
  constexpr size_t kYearAndMonth = 8;  // "2026-11-"
  const std::string day = to_rfc3339(date.as_us()).substr(0, kYearAndMonth) + "01";
  const Result<Date> begin = parse_day(day, Duration());
  ENSURE(begin.has_value());
  return *begin;
}

void Spend::Sums::add(const std::string& key, Money cost) {
  by_key[key] = by_key[key] + cost;
  all = all + cost;
}

void Spend::turn_page(Date now) {
  if (now < end_) return;
  begin_ = month_of(now);
  end_ = month_of(begin_ + kBeyondAnyMonth);
  sums_ = {};
  after_question_ = {};
}

void Spend::add(const std::string& key, Money cost, Date began, Date now) {
  turn_page(now);
  if (cost.nano == 0 || began < begin_) return;
  sums_.add(key, cost);
  after_question_.add(key, cost);
}

Money Spend::of(const std::string& key, Date now) {
  turn_page(now);
  const auto found = sums_.by_key.find(key);
  return found == sums_.by_key.end() ? Money() : found->second;
}

Money Spend::all(Date now) {
  turn_page(now);
  return sums_.all;
}

void Spend::begin_count(Date now) {
  turn_page(now);
  after_question_ = {};
}

void Spend::add_waiting(const std::string& key, Money cost, Date began) {
  if (began >= begin_) after_question_.add(key, cost);
}

ports::SqlStatement Spend::question(Currency currency, Date now) const {
  return {
      "SELECT \"key\", SUM(cost_nano) FROM attempts "
      "WHERE at_us >= ? AND currency = ? AND cost_nano > 0 GROUP BY \"key\"",
      {month_of(now).as_us(), currency.text()}};
}

void Spend::answered(const ports::SqlRows& rows, Date now) {
  const Date asked_for = begin_;
  turn_page(now);
  if (begin_ != asked_for) return;  // the month has ended meanwhile
  Sums counted = std::exchange(after_question_, {});
  for (const auto& row : rows.rows) {
    if (row.size() != 2) continue;
    const auto* key = std::get_if<std::string>(&row[0]);
    const auto* nano = std::get_if<int64_t>(&row[1]);
    if (key != nullptr && nano != nullptr) counted.add(*key, {*nano});
  }
  sums_ = std::move(counted);
}

}  // namespace sluice::meter
