#include "drivers/sqlite/sqlite_store.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>

#include "tests/unit/scratch_folder.h"

using namespace sluice;
using drivers::SqliteStore;
using ports::SqlRows;
using ports::SqlStatement;
using ports::SqlValue;

namespace {

using Folder = ScratchFolder;

class StepWork : public ports::Work {
 public:
  void run(Callback job, Callback done) override { orders_.push_back({job, done}); }
  bool step() {  // one job and its end; false if there was none
    if (orders_.empty()) return false;
    const auto [job, done] = std::move(orders_.front());
    orders_.pop_front();
    job();
    done();
    return true;
  }
  size_t size() const { return orders_.size(); }
  void drain() {
    while (step()) {
    }
  }
  std::deque<std::pair<Callback, Callback>> orders_;
};

struct Fixture {
  Folder folder;
  StepWork work;
  std::unique_ptr<SqliteStore> store = open();
  std::vector<std::string> heard;  // in the order heard: "ok", or the kind of the error

  std::unique_ptr<SqliteStore> open() {
    auto opened = SqliteStore::open(folder.file("a.db"), work);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().text);
    return *std::move(opened);
  }
  void commit(std::vector<SqlStatement> statements) {
    store->commit(std::move(statements),
                  [this](Result<void> r) { heard.push_back(r ? "ok" : to_text(r.error().kind)); });
  }
  void insert(int64_t key) { commit({{"INSERT INTO t(k) VALUES(?)", {key}}}); }
  void make_table() {
    commit({{"CREATE TABLE t(k INTEGER PRIMARY KEY, v)", {}}});
    work.drain();
    REQUIRE(heard == std::vector<std::string>{"ok"});
    heard.clear();
  }
  Result<SqlRows> ask(SqlStatement statement, size_t rows_max = 100) {
    std::optional<Result<SqlRows>> answer;
    store->query(std::move(statement), rows_max, [&](Result<SqlRows> r) { answer = std::move(r); });
    CHECK_FALSE(answer.has_value());  // never inside the call
    work.drain();
    REQUIRE(answer.has_value());
    return *std::move(answer);
  }
  int64_t count() {
    auto rows = ask({"SELECT count(*) FROM t", {}});
    REQUIRE(rows.has_value());
    return std::get<int64_t>(rows->rows[0][0]);
  }
};

using Heard = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "store: values of every kind come back as they went in") {
  make_table();
  const std::string bytes("a\0\xff z", 5);
  commit({{"INSERT INTO t VALUES(?,?)", {int64_t{1}, 2.5}},
          {"INSERT INTO t VALUES(?,?)", {int64_t{2}, std::string("中文")}},
          {"INSERT INTO t VALUES(?,?)", {int64_t{3}, SqlValue()}},
          {"INSERT INTO t VALUES(?,?)", {INT64_MAX, bytes}},
          {"INSERT INTO t VALUES(?,?)", {INT64_MIN, std::string()}}});
  work.drain();
  CHECK(heard == Heard{"ok"});
  auto rows = ask({"SELECT k, v AS worth FROM t WHERE k <> ? ORDER BY k", {int64_t{99}}});
  REQUIRE(rows.has_value());
  CHECK(rows->columns == std::vector<std::string>{"k", "worth"});
  REQUIRE(rows->rows.size() == 5);
  CHECK(rows->rows[0] == std::vector<SqlValue>{INT64_MIN, std::string()});
  CHECK(rows->rows[1][1] == SqlValue(2.5));
  CHECK(rows->rows[2][1] == SqlValue(std::string("中文")));
  CHECK(rows->rows[3][1] == SqlValue());
  CHECK(rows->rows[4] == std::vector<SqlValue>{INT64_MAX, bytes});
  CHECK_FALSE(rows->cut);
}

TEST_CASE_FIXTURE(Fixture, "store: a commit is whole or nothing") {
  make_table();
  commit({{"INSERT INTO t(k) VALUES(1)", {}}, {"INSERT INTO t(k) VALUES(1)", {}}});
  commit({{"INSERT INTO t(k) VALUES(2)", {}}, {"INSERT INTO nowhere VALUES(1)", {}}});
  work.drain();
  CHECK(heard == Heard{"refused", "refused"});
  CHECK(count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "store: commits that wait together share one job") {
  make_table();
  for (int64_t k = 0; k < 10; ++k) insert(k);
  CHECK(heard.empty());
  REQUIRE(work.step());  // the first, alone
  CHECK(heard.size() == 1);
  REQUIRE(work.step());  // the nine that waited
  CHECK(heard == Heard(10, "ok"));
  CHECK(work.size() == 0);
  CHECK(count() == 10);
}

TEST_CASE_FIXTURE(Fixture, "store: in a group the error reaches only the caller at fault") {
  make_table();
  insert(1);
  insert(2);
  insert(1);
  insert(3);
  commit({{"INSERT INTO t(k) VALUES(4)", {}}, {"nonsense", {}}});
  insert(5);
  work.drain();
  CHECK(heard == Heard{"ok", "ok", "refused", "ok", "refused", "ok"});
  CHECK(count() == 4);
}

TEST_CASE_FIXTURE(Fixture, "store: calls are carried out in the order made") {
  make_table();
  std::vector<int64_t> seen;
  const auto look = [&] {
    store->query({"SELECT count(*) FROM t", {}}, 1,
                 [&](Result<SqlRows> r) { seen.push_back(std::get<int64_t>(r->rows[0][0])); });
  };
  look();
  insert(1);
  look();
  insert(2);
  insert(3);
  look();
  work.drain();
  CHECK(seen == std::vector<int64_t>{0, 1, 3});
}

TEST_CASE_FIXTURE(Fixture, "store: a callback may call again") {
  make_table();
  store->commit({{"INSERT INTO t(k) VALUES(1)", {}}}, [this](Result<void>) { insert(2); });
  work.drain();
  CHECK(heard == Heard{"ok"});
  CHECK(count() == 2);
}

TEST_CASE_FIXTURE(Fixture, "store: an answer is cut at rows_max, and says so") {
  make_table();
  for (int64_t k = 0; k < 5; ++k) insert(k);
  work.drain();
  auto rows = ask({"SELECT k FROM t ORDER BY k", {}}, 3);
  REQUIRE(rows.has_value());
  CHECK(rows->rows.size() == 3);
  CHECK(rows->cut);
  CHECK_FALSE(ask({"SELECT k FROM t ORDER BY k", {}}, 5)->cut);
}

TEST_CASE_FIXTURE(Fixture, "store: wrong SQL is refused and leaves the store usable") {
  make_table();
  for (const SqlStatement& wrong :
       {SqlStatement{"SELEC", {}}, SqlStatement{"", {}},
        SqlStatement{"INSERT INTO t(k) VALUES(9)", {}}, SqlStatement{"SELECT ?", {}},
        SqlStatement{"SELECT 1", {int64_t{1}}}, SqlStatement{"SELECT 1; SELECT 2", {}},
        SqlStatement{"BEGIN", {}}, SqlStatement{"INSERT INTO t(k) VALUES(9) RETURNING k", {}}}) {
    INFO(wrong.sql);
    auto rows = ask(wrong);
    REQUIRE_FALSE(rows.has_value());
    CHECK(rows.error().kind == ErrorKind::refused);
  }
  commit({{"COMMIT", {}}, {"INSERT INTO t(k) VALUES(8)", {}}});
  commit(
      {{"INSERT INTO t(k) VALUES(7)", {}}, {"ROLLBACK", {}}, {"INSERT INTO t(k) VALUES(6)", {}}});
  commit({});
  work.drain();
  CHECK(heard == Heard{"refused", "refused", "ok"});
  CHECK(count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "store: foreign keys hold") {
  commit({{"CREATE TABLE a(k INTEGER PRIMARY KEY)", {}},
          {"CREATE TABLE b(a INTEGER REFERENCES a(k))", {}}});
  commit({{"INSERT INTO b VALUES(1)", {}}});
  work.drain();
  CHECK(heard == Heard{"ok", "refused"});
}

TEST_CASE_FIXTURE(Fixture, "store: a full disk is busy, and writing goes on when there is space") {
  make_table();
  CHECK(ask({"PRAGMA max_page_count=10", {}}).has_value());
  const SqlStatement big{"INSERT INTO t(v) VALUES(?)", {std::string(200000, 'x')}};
  commit({big});
  insert(1);
  work.drain();
  CHECK(heard == Heard{"busy", "ok"});
  CHECK(ask({"PRAGMA max_page_count=100000", {}}).has_value());
  commit({big});
  work.drain();
  CHECK(heard.back() == "ok");
  CHECK(count() == 2);
}

TEST_CASE_FIXTURE(Fixture, "store: the queue is bounded") {
  make_table();
  for (size_t i = 0; i < drivers::kStoreQueueMax + 3; ++i) insert(static_cast<int64_t>(i));
  CHECK(heard.empty());
  work.drain();
  CHECK(heard.size() == drivers::kStoreQueueMax + 3);
  CHECK(std::count(heard.begin(), heard.end(), "busy") == 2);  // one was at work already
  CHECK(count() == static_cast<int64_t>(drivers::kStoreQueueMax) + 1);
}

TEST_CASE_FIXTURE(Fixture, "store: what was accepted is written at the end, and nobody is called") {
  make_table();
  for (int64_t k = 0; k < 200; ++k) insert(k);
  store.reset();
  CHECK(heard.empty());
  work.drain();  // jobs and callbacks that come late touch nothing
  CHECK(heard.empty());
  store = open();
  CHECK(count() == 200);
}

TEST_CASE_FIXTURE(Fixture, "store: what was heard as written survives a crash") {
  make_table();
  insert(1);
  insert(2);
  work.drain();
  for (const char* part : {"a.db", "a.db-wal"}) {  // as the disk is, without a clean end
    std::string to(part);
    to[0] = 'b';
    std::filesystem::copy_file(folder.file(part), folder.file(to));
  }
  auto rows = SqliteStore::query_now(folder.file("b.db"), {"SELECT k FROM t ORDER BY k", {}}, 9);
  REQUIRE_MESSAGE(rows.has_value(), rows.error().text);
  CHECK(rows->rows.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "store: the file is for its owner only") {
  struct stat found {};
  REQUIRE(stat(folder.file("a.db").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  REQUIRE(stat(folder.file("a.db-wal").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  CHECK(std::get<int64_t>(ask({"PRAGMA synchronous", {}})->rows[0][0]) == 2);
}

TEST_CASE_FIXTURE(Fixture, "store: the command line reads beside a store, and after it") {
  make_table();
  insert(1);
  work.drain();
  const SqlStatement look{"SELECT count(*) FROM t", {}};
  CHECK(SqliteStore::query_now(folder.file("a.db"), look, 1).has_value());
  store.reset();
  auto rows = SqliteStore::query_now(folder.file("a.db"), look, 1);
  REQUIRE_MESSAGE(rows.has_value(), rows.error().text);
  CHECK(std::get<int64_t>(rows->rows[0][0]) == 1);
  const SqlStatement write{"DELETE FROM t", {}};
  CHECK(SqliteStore::query_now(folder.file("a.db"), write, 1).error().kind == ErrorKind::refused);
  auto none = SqliteStore::query_now(folder.file("none.db"), look, 1);
  CHECK(none.error().kind == ErrorKind::gone);
  CHECK_FALSE(std::filesystem::exists(folder.file("none.db")));
}

TEST_CASE_FIXTURE(Fixture, "store: a file that cannot be opened or is damaged says so") {
  auto nowhere = SqliteStore::open("/nonexistent/folder/a.db", work);
  REQUIRE_FALSE(nowhere.has_value());
  CHECK(nowhere.error().kind == ErrorKind::refused);
  std::ofstream(folder.file("c.db")) << std::string(8192, 'x');
  auto damaged = SqliteStore::open(folder.file("c.db"), work);
  REQUIRE_FALSE(damaged.has_value());
  CHECK(damaged.error().kind == ErrorKind::broken);
}

TEST_CASE_FIXTURE(Fixture, "store: a page damaged later is found when it is read") {
  make_table();
  commit({{"INSERT INTO t(v) VALUES(?)", {std::string(50000, 'x')}}});
  work.drain();
  store.reset();
  {
    std::fstream file(folder.file("a.db"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(4096, '\x7f');
  }
  store = open();
  auto rows = ask({"SELECT v FROM t", {}});
  REQUIRE_FALSE(rows.has_value());
  CHECK(rows.error().kind == ErrorKind::broken);
}

namespace {

struct PutAside {
  std::vector<std::string> where;
  SqliteStore::OnPutAside note() {
    return [this](const std::string& to, const Error& why) {
      CHECK(why.kind == ErrorKind::broken);
      where.push_back(to);
    };
  }
};

void damage(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << std::string(4096, '\x7f');
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "store: a file that is damaged when it is opened is put aside") {
  PutAside aside;
  for (int number = 1; number <= 2; ++number) {
    store.reset();
    std::ofstream(folder.file("a.db")) << std::string(8192, 'x');
    auto opened = SqliteStore::open(folder.file("a.db"), work, aside.note());
    REQUIRE_MESSAGE(opened.has_value(), opened.error().text);
    store = *std::move(opened);
  }
  CHECK(aside.where ==
        std::vector<std::string>{folder.file("a.db.broken-1"), folder.file("a.db.broken-2")});
  CHECK(std::filesystem::file_size(aside.where[0]) == 8192);
  heard.clear();
  make_table();
  insert(1);
  work.drain();
  CHECK(heard.back() == "ok");
}

TEST_CASE_FIXTURE(Fixture, "store: damage that a check finds does not keep it from taking more") {
  PutAside aside;
  make_table();
  commit({{"INSERT INTO t(v) VALUES(?)", {std::string(50000, 'x')}}});
  work.drain();
  store.reset();
  auto good = SqliteStore::open(folder.file("a.db"), work, aside.note());
  REQUIRE(good.has_value());
  store = *std::move(good);
  store->check();
  work.drain();
  CHECK(aside.where.empty());
  store.reset();
  damage(folder.file("a.db"));
  auto opened = SqliteStore::open(folder.file("a.db"), work, aside.note());
  REQUIRE(opened.has_value());
  store = *std::move(opened);
  store->check();
  work.drain();
  CHECK(aside.where.size() == 1);
  heard.clear();
  insert(7);  // the new one has no table: who writes makes it again
  work.drain();
  CHECK(heard == std::vector<std::string>{"refused"});
  heard.clear();
  make_table();
  insert(7);
  work.drain();
  CHECK(heard.back() == "ok");
}

TEST_CASE_FIXTURE(Fixture, "store: a file that another process put aside is let go of") {
  make_table();
  insert(1);
  work.drain();
  for (const char* part : {"-wal", "-shm", ""}) {
    std::filesystem::rename(folder.file("a.db") + part, folder.file("moved.db") + part);
  }
  heard.clear();
  insert(2);
  work.drain();
  CHECK(heard == std::vector<std::string>{"gone"});
  commit(
      {{"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT)", {}}, {"INSERT INTO t(k) VALUES(2)", {}}});
  work.drain();
  CHECK(heard.back() == "ok");
  auto rows = SqliteStore::query_now(folder.file("a.db"), {"SELECT k FROM t", {}}, 9);
  REQUIRE(rows.has_value());
  CHECK(rows->rows.size() == 1);
  rows = SqliteStore::query_now(folder.file("moved.db"), {"SELECT k FROM t", {}}, 9);
  REQUIRE(rows.has_value());
  CHECK(rows->rows.size() == 1);
}
