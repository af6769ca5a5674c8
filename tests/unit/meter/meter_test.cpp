#include "firmware/meter/meter.h"

#include <doctest/doctest.h>

#include "firmware/meter/attempt_line.h"
#include "firmware/meter/ledger.h"
#include "firmware/meter/meter_journal.h"
#include "tests/unit/meter/meter_world.h"

using namespace sluice;
using namespace sluice::meter;

TEST_CASE("meter: each start and each end is one append, before the call returns") {
  World world;
  world.boot();
  const int before = world.files.appends;
  world.start(1);
  CHECK(world.files.appends == before + 1);
  CHECK(world.meter->open_attempts() == 1);
  world.end(1);
  CHECK(world.files.appends == before + 2);
  CHECK(world.meter->open_attempts() == 0);
  CHECK(world.meter->unstored_rows() == 1);
  CHECK(world.files.content.at("/j/attempts-1-1.journal") ==
        journal_head({}) + journal_line(attempt(1)) + journal_line(1, ended()));
}

TEST_CASE("meter: rows go to the store in one commit after the group's time, not before") {
  World world;
  world.boot();
  world.pass(Duration::ms(1));  // the table
  for (uint64_t id = 1; id <= 20; ++id) world.start(id), world.end(id);
  world.pass(Duration::ms(199));
  CHECK(world.store.rows.empty());
  world.pass(Duration::ms(1));
  CHECK(world.store.rows.size() == 20);
  CHECK(world.store.most_inserts == 20);
  CHECK(world.meter->unstored_rows() == 0);
  CHECK(world.meter->health() == "");
  const auto& row = world.store.rows.at(7);
  CHECK(std::get<std::string>(row.at(1)) == "r7");
  CHECK(std::get<int64_t>(row.at(13)) == 11);
  CHECK(std::holds_alternative<std::monostate>(row.at(10)));
  CHECK(std::get<int64_t>(row.at(14)) == 100 * 10 + 11 * 100);
}

TEST_CASE("meter: a commit has a bounded number of rows and only one is in flight") {
  World world;
  world.boot();
  const size_t count = 3 * Ledger::kRowsPerCommit + 7;
  for (uint64_t id = 1; id <= count; ++id) world.start(id), world.end(id);
  world.pass(Duration::seconds(1));
  CHECK(world.store.rows.size() == count);
  CHECK(world.store.inserts == count);
  CHECK(world.store.most_inserts == Ledger::kRowsPerCommit);
  CHECK(world.store.most_waiting == 1);
}

TEST_CASE("meter: a store that is busy is told once, and gets every row when it is well again") {
  World world;
  world.store.busy = true;
  world.boot();
  world.start(1), world.end(1);
  world.pass(Duration::seconds(30));
  world.start(2), world.end(2);
  world.pass(Duration::seconds(30));
  CHECK(world.meter->unstored_rows() == 2);
  CHECK(world.meter->health() == "2 attempts wait for the store: disk full");
  CHECK(world.log.count("wait for the store") == 1);
  world.store.busy = false;
  world.pass(Ledger::kRetryAfter);
  CHECK(world.store.rows.size() == 2);
  CHECK(world.store.inserts == 2);
  CHECK(world.meter->health() == "");
  CHECK(world.log.count("takes rows again") == 1);
}

TEST_CASE("meter: flush stores at once, and answers in a turn of its own") {
  World world;
  world.boot();
  world.pass(Duration::ms(1));
  int done = 0;
  world.meter->flush([&done] { ++done; });
  CHECK(done == 0);
  world.pass(Duration());
  CHECK(done == 1);
  world.start(1), world.end(1);
  world.meter->flush([&done] { ++done; });
  CHECK(done == 1);
  world.pass(Duration());
  CHECK(done == 2);
  CHECK(world.store.rows.size() == 1);
  world.store.busy = true;
  world.start(2), world.end(2);
  world.meter->flush([&done] { ++done; });
  world.pass(Duration());
  CHECK(done == 3);
  CHECK(world.meter->unstored_rows() == 1);
}

TEST_CASE("meter: flush during a commit waits for the rows that came after it began") {
  World world;
  world.boot();
  world.start(1), world.end(1);
  size_t stored = 0;
  world.meter->flush([&] { stored = world.store.rows.size(); });  // the table is in flight
  world.start(2), world.end(2);
  world.pass(Duration());
  CHECK(stored >= 1);
  world.pass(Duration::ms(200));
  CHECK(world.store.rows.size() == 2);
}

TEST_CASE("meter: a journal that cannot be written is told once; requests go on and are stored") {
  World world;
  world.boot();
  world.start(1);
  world.files.full = true;
  world.start(2);
  world.end(1);
  CHECK(world.meter->health() ==
        "the journal of attempts cannot be written, a crash now would lose some: no space left");
  world.pass(Duration::seconds(5));
  world.start(3), world.end(3);
  CHECK(world.log.count("journal cannot be written") == 1);
  CHECK(world.journals() == 0);  // all that was written is stored; no empty files are left
  world.files.full = false;
  world.pass(MeterJournal::kRetryAfter);
  world.end(2, Outcome::cut);  // its start goes with it
  CHECK(world.meter->health() == "");
  CHECK(world.log.count("journal is written again") == 1);
  world.crash();
  world.boot();
  world.pass(Duration::seconds(1));
  CHECK(world.outcome(1) == "served");
  CHECK(world.outcome(2) == "cut");
  CHECK(world.outcome(3) == "served");
}

TEST_CASE("meter: a journal is well again once the store takes rows, without another request") {
  World world;
  world.boot();
  world.files.full = world.store.busy = true;
  world.start(1), world.end(1);
  CHECK(world.meter->health() != "");
  world.files.full = world.store.busy = false;
  world.pass(Duration::seconds(10));
  CHECK(world.meter->health() == "");
  CHECK(world.outcome(1) == "served");
  CHECK(world.journals() == 1);
}

TEST_CASE("meter: a line that was written in part does not spoil those after it") {
  World world;
  world.boot();
  world.start(1);
  world.start(2);
  world.files.full = world.files.leaves_part = true;
  world.end(1);
  world.files.full = false;
  world.pass(MeterJournal::kRetryAfter);
  world.end(2, Outcome::cut);
  world.start(3);
  world.crash();
  world.boot();
  world.pass(Duration::seconds(1));
  CHECK(world.outcome(1) == "served");  // was in the store before the crash
  CHECK(world.outcome(2) == "cut");
  CHECK(world.outcome(3) == "interrupted");
  CHECK(world.meter->health() == "");
}

TEST_CASE("meter: beyond what memory may hold a row waits in its journal for the next start") {
  World world;
  world.store.busy = true;
  world.boot();
  const uint64_t count = Meter::kUnstoredRowsMax + 3;
  for (uint64_t id = 1; id <= count; ++id) world.start(id), world.end(id);
  CHECK(world.meter->unstored_rows() == Meter::kUnstoredRowsMax);
  world.store.busy = false;
  world.pass(Duration::seconds(10));
  CHECK(world.meter->unstored_rows() == 0);
  CHECK(world.meter->health() == "3 attempts wait in the journal and are stored at the next start");
  CHECK(world.store.rows.size() == count - 3);
  world.meter.reset();
  world.boot();
  world.pass(Duration::seconds(10));
  CHECK(world.store.rows.size() == count);
  CHECK(world.outcome(static_cast<int64_t>(count)) == "served");
  CHECK(world.journals() == 1);
}

TEST_CASE("meter: a full journal file gives way to the next, and goes when its rows are stored") {
  World world;
  world.settings.journal_max = {1000};
  world.boot();
  world.start(1);  // stays open: it holds the first file
  for (uint64_t id = 2; id <= 40; ++id) world.start(id), world.end(id);
  CHECK(world.journals() > 3);
  world.pass(Duration::seconds(1));
  CHECK(world.store.rows.size() == 39);
  CHECK(world.journals() == 2);
  CHECK(world.files.content.count("/j/attempts-1-1.journal") == 1);
  world.end(1);
  world.pass(Duration::seconds(1));
  CHECK(world.files.content.count("/j/attempts-1-1.journal") == 0);
  CHECK(world.journals() == 1);
}

TEST_CASE("meter: a clean end leaves no journal, an open attempt leaves one") {
  World world;
  world.boot();
  world.start(1), world.end(1);
  world.meter->flush([] {});
  world.pass(Duration());
  world.meter.reset();
  CHECK(world.journals() == 0);
  world.boot();
  world.start(2);
  world.meter.reset();
  CHECK(world.journals() == 1);
  world.boot();
  world.pass(Duration::seconds(1));
  CHECK(world.outcome(2) == "interrupted");
  CHECK(std::get<int64_t>(world.store.rows.at(2).at(14)) == 0);
}

TEST_CASE("meter: the store may answer after the meter has gone") {
  World world;
  world.boot();
  world.start(1), world.end(1);
  world.meter->flush([] {});
  world.meter.reset();
  while (world.store.step()) {
  }
  CHECK(world.store.rows.empty());  // only the table was on its way
  CHECK(world.journals() == 1);
}
