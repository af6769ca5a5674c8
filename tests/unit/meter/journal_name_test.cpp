#include "firmware/meter/journal_name.h"

#include <doctest/doctest.h>

using namespace sluice::meter;

TEST_CASE("journal name: what is written is read again") {
  for (const FileNumber file : {file_number(0, 1), file_number(0, 77), file_number(1, 1),
                                file_number(12, 345), file_number(kWriterMax, kSerialMax)}) {
    for (const NameKind kind : {NameKind::journal, NameKind::broken}) {
      const auto read = read_journal_name(journal_name(file, kind));
      REQUIRE(read);
      CHECK(read->kind == kind);
      CHECK(read->file == file);
      CHECK(read->writer == writer_of(file));
    }
  }
  CHECK(journal_name(file_number(0, 4), NameKind::journal) == "attempts-4.journal");
  CHECK(journal_name(file_number(3, 4), NameKind::broken) == "attempts-3-4.broken");
  const auto lock = read_journal_name(lock_name(9));
  REQUIRE(lock);
  CHECK(lock->kind == NameKind::lock);
  CHECK(lock->writer == 9);
}

TEST_CASE("journal name: what we would not have written is not ours") {
  for (const char* name :
       {"", "attempts-", "attempts-.journal", "attempts-x.journal", "attempts-01.journal",
        "attempts-0.journal", "attempts--1.journal", "attempts-1-.journal", "attempts-0-1.journal",
        "attempts-1-0.journal", "attempts-1-2-3.journal", "attempts-1.journal.new",
        "attempts-1-2.lock", "attempts-.lock", "attempts-2147483648-1.journal",
        "attempts-1-4294967296.journal", "attempts-9223372036854775808.journal", "x-1.journal"}) {
    CAPTURE(name);
    CHECK_FALSE(read_journal_name(name).has_value());
  }
}

TEST_CASE("journal name: a new writer is greater than whatever has a name") {
  CHECK(next_writer({}) == 1);
  CHECK(next_writer({"attempts-8.journal"}) == 1);
  CHECK(next_writer({"attempts-2-9.journal", "attempts-4.lock", "attempts-3-1.broken", "y"}) == 5);
}
