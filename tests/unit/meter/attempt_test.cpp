#include "firmware/meter/attempt.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "firmware/meter/attempt_line.h"
#include "tests/unit/meter/meter_world.h"

using namespace sluice;
using namespace sluice::meter;

TEST_CASE("attempt: a cost follows what the node reported, else what we counted") {
  struct Row {
    Outcome outcome;
    bool reported;
    int64_t in, cached, out, counted;
    int64_t nano;  // prices: in 10, cached 1, out 100; the prompt's estimate is 100
  };
  const std::vector<Row> rows = {
      {Outcome::served, true, 200, 0, 30, 29, 200 * 10 + 30 * 100},
      {Outcome::served, true, 200, 150, 30, 0, 50 * 10 + 150 * 1 + 30 * 100},
      {Outcome::served, true, 200, 500, 0, 0, 200 * 1},  // cached is part of in
      {Outcome::served, true, -5, -5, -5, 7, 0},
      {Outcome::served, false, 0, 0, 0, 30, 100 * 10 + 30 * 100},
      {Outcome::client_gone, false, 0, 0, 0, 7, 100 * 10 + 7 * 100},
      {Outcome::cut, false, 0, 0, 0, 7, 100 * 10 + 7 * 100},
      {Outcome::timed_out, false, 0, 0, 0, 0, 100 * 10},
      {Outcome::refused, false, 0, 0, 0, 0, 0},
      {Outcome::busy, false, 0, 0, 0, 0, 0},
      {Outcome::failed, false, 0, 0, 0, 0, 0},
      {Outcome::interrupted, false, 0, 0, 0, 0, 0},
      {Outcome::outrun, false, 0, 0, 0, 0, 100 * 10},  // its prompt was computed all the same
      {Outcome::failed, true, 10, 0, 0, 0, 100},
  };
  for (const Row& row : rows) {
    AttemptEnd end;
    end.outcome = row.outcome;
    end.reported = row.reported;
    end.in_reported = {row.in};
    end.cached_reported = {row.cached};
    end.out_reported = {row.out};
    end.out_counted = {row.counted};
    CAPTURE(to_text(row.outcome));
    CAPTURE(row.in);
    CHECK(cost_of(attempt(1), end).nano == row.nano);
  }
}

TEST_CASE("attempt: what a node lies about its usage overflows nothing") {
  AttemptStart start = attempt(1);
  start.price_in_nano = start.price_out_nano = std::numeric_limits<int64_t>::max();
  AttemptEnd end = ended();
  end.reported = true;
  end.in_reported = end.out_reported = {std::numeric_limits<int64_t>::max()};
  end.cached_reported = {std::numeric_limits<int64_t>::min()};
  CHECK(cost_of(start, end).nano == kAttemptCostNanoMax);
  CHECK(billed_tokens(start, end).in.count == kAttemptTokensMax);
}

TEST_CASE("attempt: outcomes go to text and back") {
  for (int i = 0; i < kOutcomeCount; ++i) {
    const Outcome outcome = static_cast<Outcome>(i);
    CHECK(outcome_from_text(to_text(outcome)) == outcome);
  }
  CHECK_FALSE(outcome_from_text("unknown").has_value());
}

TEST_CASE("attempt line: a start with any text in it is read back as it was") {
  AttemptStart start = attempt(0xfedcba9876543210u);
  start.model = "a\tb\nc\\d\x7f\x01 \xe6\xa8\xa1";
  start.request = "";
  start.place = valve::Place::cloud;
  start.number = 3;
  const std::string line = journal_line(start);
  CHECK(line.find('\n') == line.size() - 1);
  const auto read = read_journal_line(line.substr(0, line.size() - 1));
  REQUIRE(read.has_value());
  const AttemptStart& back = std::get<JournalStart>(*read).attempt;
  CHECK(back.id == start.id);
  CHECK(back.model == start.model);
  CHECK(back.request.empty());
  CHECK(back.node == "alpha");
  CHECK(back.place == valve::Place::cloud);
  CHECK(back.number == 3);
  CHECK(back.at == start.at);
  CHECK(back.prompt_estimate == start.prompt_estimate);
  CHECK(back.price_cached_nano == 1);
}

TEST_CASE("attempt line: an end is read back, with and without reported usage") {
  AttemptEnd end = ended(Outcome::cut);
  for (bool reported : {false, true}) {
    end.reported = reported;
    if (reported) end.in_reported = {5}, end.out_reported = {6}, end.cached_reported = {4};
    const std::string line = journal_line(77, end);
    const auto read = read_journal_line(line.substr(0, line.size() - 1));
    REQUIRE(read.has_value());
    const JournalEnd& back = std::get<JournalEnd>(*read);
    CHECK(back.id == 77);
    CHECK(back.end.outcome == Outcome::cut);
    CHECK(back.end.reported == reported);
    CHECK(back.end.in_reported == end.in_reported);
    CHECK(back.end.cached_reported == end.cached_reported);
    CHECK(back.end.out_counted == end.out_counted);
    CHECK(back.end.first_byte == end.first_byte);
    CHECK(back.end.total == end.total);
  }
}

TEST_CASE("attempt line: no beginning of a line is taken for a line") {
  for (std::string line : {journal_line(attempt(1)), journal_line(1, ended())}) {
    line.pop_back();
    const size_t last_field = line.rfind('\t');
    for (size_t size = 0; size <= last_field + 1; ++size) {
      CAPTURE(size);
      CHECK_FALSE(read_journal_line(line.substr(0, size)).has_value());
    }
    CHECK_FALSE(read_journal_line(line + "\t1").has_value());
    CHECK_FALSE(read_journal_line(line + "x").has_value());
  }
  CHECK_FALSE(read_journal_line("E\t1\tserved\t200\t5\t-\t-\t1\t1\t1").has_value());
  CHECK_FALSE(read_journal_line("E\t1\thappy\t200\t-\t-\t-\t1\t1\t1").has_value());
  CHECK_FALSE(read_journal_line(std::string(100, '\0')).has_value());
}

TEST_CASE("attempt line: the head names version and currency") {
  Currency euro;
  REQUIRE(Currency::parse("EUR", &euro));
  CHECK(journal_head(euro) == "sluice-attempts 1 EUR\n");
  CHECK(read_journal_head("sluice-attempts 1 EUR") == euro);
  CHECK_FALSE(read_journal_head("sluice-attempts 2 EUR").has_value());
  CHECK_FALSE(read_journal_head("sluice-attempts 1 eur").has_value());
}
