#include "firmware/meter/usage_query.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>

#include "drivers/sqlite/sqlite_connection.h"
#include "firmware/meter/ledger.h"
#include "firmware/ports/json.h"
#include "tests/unit/meter/meter_world.h"

using namespace sluice;
using namespace sluice::meter;
using drivers::SqliteConnection;

namespace {

constexpr int64_t kDay = 86'400'000'000;

class Database {
 public:
  Database() {
    std::string name = std::filesystem::temp_directory_path() / "sluice-usage-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    folder_ = name;
    auto opened = SqliteConnection::open(folder_ + "/l.db", SqliteConnection::Mode::read_write);
    REQUIRE(opened.has_value());
    connection_ = *std::move(opened);
    execute(make_attempts_table());
  }
  ~Database() {
    connection_.reset();
    std::filesystem::remove_all(folder_);
  }
  void execute(const std::vector<ports::SqlStatement>& statements) {
    REQUIRE(connection_->begin().has_value());
    const Result<void> done = connection_->execute(statements);
    REQUIRE_MESSAGE(done.has_value(), done.error().text);
    REQUIRE(connection_->end().has_value());
  }
  void add(uint64_t id, int64_t at_us, const AttemptEnd& end, const std::string& node = "alpha") {
    LedgerRow row{attempt(id, node), end, {}, 0, 0};
    row.start.at = Date::from_us(at_us);
    execute({insert_attempt(row)});
  }
  ports::SqlRows ask(const ports::SqlStatement& statement) {
    auto rows = connection_->query(statement, kUsageRowsMax);
    REQUIRE_MESSAGE(rows.has_value(), rows.error().text);
    return *std::move(rows);
  }

 private:
  std::string folder_;
  std::unique_ptr<SqliteConnection> connection_;
};

AttemptEnd reported(int64_t in, int64_t out, int64_t cached) {
  AttemptEnd end = ended();
  end.reported = true;
  end.in_reported = {in};
  end.out_reported = {out};
  end.cached_reported = {cached};
  return end;
}

}  // namespace

TEST_CASE("ledger: a row that is stored twice is there once, as it was first") {
  Database database;
  database.execute(make_attempts_table());  // again: no harm
  database.add(7, 1, ended());
  database.add(7, 1, ended(Outcome::interrupted));
  const ports::SqlRows rows = database.ask({"SELECT id, outcome, in_reported FROM attempts", {}});
  REQUIRE(rows.rows.size() == 1);
  CHECK(std::get<std::string>(rows.rows[0][1]) == "served");
  CHECK(std::holds_alternative<std::monostate>(rows.rows[0][2]));
}

TEST_CASE("usage: sums are those of billed_tokens and cost_of") {
  Database database;
  const AttemptEnd ends[] = {reported(200, 30, 50), reported(10, 2, 99),         ended(),
                             ended(Outcome::busy),  ended(Outcome::client_gone), reported(5, 0, 0)};
  BilledTokens sum;
  int64_t cost = 0;
  uint64_t id = 0;
  for (const AttemptEnd& end : ends) {
    database.add(++id, 1, end);
    const BilledTokens billed = billed_tokens(attempt(id), end);
    sum = {sum.in + billed.in, sum.out + billed.out, sum.cached + billed.cached};
    cost += cost_of(attempt(id), end).nano;
  }
  const ports::SqlRows rows = database.ask(usage_query({}));
  REQUIRE(rows.rows.size() == 1);
  const std::string json = format_usage(rows, UsageBy::key, UsageFormat::json);
  const auto read = ports::parse_json(json);
  REQUIRE(read.has_value());
  const ports::JsonValue& row = read->find("usage")->as_array()->at(0);
  CHECK(row.text("key") == "k00000001");
  CHECK(row.integer("requests") == 6);
  CHECK(row.integer("attempts") == 6);
  CHECK(row.integer("in_tokens") == sum.in.count);
  CHECK(row.integer("out_tokens") == sum.out.count);
  CHECK(row.integer("cached_tokens") == sum.cached.count);
  CHECK(row.integer("cost_nano") == cost);
  CHECK(row.integer("busy") == 1);
  CHECK(row.integer("served") == 4);
}

TEST_CASE("usage: days are those of the local time, and from and to cut them") {
  Database database;
  const Duration china = Duration::seconds(8 * 3600);
  const Date first = *parse_day("2026-11-22", china);
  const Date second = *parse_day("2026-11-23", china);
  CHECK((second - first).as_us() == kDay);
  database.add(1, first.as_us() - 1, ended());
  database.add(2, first.as_us(), ended());
  database.add(3, second.as_us() - 1, ended());
  database.add(4, second.as_us(), ended());
  UsageQuestion question{UsageBy::day, std::nullopt, std::nullopt, china};
  CHECK(database.ask(usage_query(question)).rows.size() == 3);
  question.from = first;
  question.to = second;
  const ports::SqlRows rows = database.ask(usage_query(question));
  REQUIRE(rows.rows.size() == 1);
  CHECK(std::get<std::string>(rows.rows[0][0]) == "2026-11-22");
  CHECK(std::get<int64_t>(rows.rows[0][2]) == 2);
}

TEST_CASE("usage: by node and by model, as a table and as CSV") {
  Database database;
  database.add(1, 1, ended(), "a,\"b\"");
  database.add(2, 1, ended(), "\xe4\xba\x91");
  UsageQuestion question;
  question.by = UsageBy::node;
  const ports::SqlRows rows = database.ask(usage_query(question));
  CHECK(
      format_usage(rows, UsageBy::node, UsageFormat::csv) ==
      "node,requests,attempts,in_tokens,out_tokens,cached_tokens,currency,cost,served,client_gone,"
      "refused,busy,failed,cut,timed_out,interrupted,superseded,outrun\r\n"
      "\"a,\"\"b\"\"\",1,1,100,11,0,CNY,0.000002100,1,0,0,0,0,0,0,0,0,0\r\n"
      "\xe4\xba\x91,1,1,100,11,0,CNY,0.000002100,1,0,0,0,0,0,0,0,0,0\r\n");
  const std::string table = format_usage(rows, UsageBy::node, UsageFormat::table);
  CHECK(table.find("node   requests  attempts") == 0);
  CHECK(table.find("\n\xe4\xba\x91            1         1") != std::string::npos);
  question.by = UsageBy::model;
  CHECK(database.ask(usage_query(question)).rows.size() == 1);
}

TEST_CASE("usage: days that do not exist are refused") {
  for (const char* text : {"", "2026-11-31", "2026-02-29", "1969-12-31", "2026-1-01", "2026/11/22",
                           "2026-13-01", "2026-00-01", "2026-11-00", "-026-11-22"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_day(text, Duration()).has_value());
  }
  CHECK(parse_day("1970-01-01", Duration())->as_us() == 0);
  CHECK(parse_day("2024-02-29", Duration())->as_us() == 19782 * kDay);
  CHECK(usage_by_from_text("day") == UsageBy::day);
  CHECK_FALSE(usage_by_from_text("week").has_value());
  CHECK(usage_format_from_text("csv") == UsageFormat::csv);
}
