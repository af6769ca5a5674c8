#include "drivers/sqlite/sqlite_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "drivers/sqlite/store_batch.h"

namespace sluice::drivers {

namespace {

// The log of writes first: beside a new file it would be taken for that one's. Empty: it failed.
std::string put_aside(const std::string& path) {
  for (int number = 1; number <= kBrokenFilesMax; ++number) {
    const std::string where = path + ".broken-" + std::to_string(number);
    if (::access(where.c_str(), F_OK) == 0) continue;
    for (const char* part : {"-wal", "-shm"}) {
      if (std::rename((path + part).c_str(), (where + part).c_str()) != 0 && errno != ENOENT) {
        return "";
      }
    }
    return std::rename(path.c_str(), where.c_str()) == 0 ? where : "";
  }
  return "";
}

}  // namespace

using ports::SqlRows;
using ports::SqlStatement;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, ports::Work& work) {
  return open(path, work, nullptr);
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, ports::Work& work,
                                                       OnPutAside on_put_aside) {
  auto connection = SqliteConnection::open(path, SqliteConnection::Mode::read_write);
  if (!connection && connection.error().kind == ErrorKind::broken && on_put_aside) {
    const std::string where = put_aside(path);
    if (where.empty()) return connection.error();
    on_put_aside(where, connection.error());
    connection = SqliteConnection::open(path, SqliteConnection::Mode::read_write);
  }
  if (!connection) return connection.error();
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(*std::move(connection), path, work, std::move(on_put_aside)));
}

Result<SqlRows> SqliteStore::query_now(const std::string& path, const SqlStatement& statement,
                                       size_t rows_max) {
  auto connection = SqliteConnection::open(path, SqliteConnection::Mode::read_only);
  if (!connection) return connection.error();
  return (*connection)->query(statement, rows_max);
}

SqliteStore::SqliteStore(std::unique_ptr<SqliteConnection> connection, std::string path,
                         ports::Work& work, OnPutAside on_put_aside)
    : work_(work),
      path_(std::move(path)),
      on_put_aside_(std::move(on_put_aside)),
      connection_(std::move(connection)),
      alive_(std::make_shared<bool>(true)) {}

SqliteStore::~SqliteStore() {
  *alive_ = false;
  if (running_) running_->run();  // waits for the worker, or does it here if none has begun
  while (!waiting_.empty()) take_batch()->run();
}

void SqliteStore::commit(std::vector<SqlStatement> statements,
                         std::function<void(Result<void>)> done) {
  StoreCall call;
  call.statements = std::move(statements);
  call.on_commit = std::move(done);
  accept(std::move(call));
}

void SqliteStore::query(SqlStatement statement, size_t rows_max,
                        std::function<void(Result<SqlRows>)> done) {
  StoreCall call;
  call.is_query = true;
  call.statements.push_back(std::move(statement));
  call.rows_max = rows_max;
  call.on_query = std::move(done);
  accept(std::move(call));
}

// On a connection of its own, so that commits go on.
void SqliteStore::check() {
  const auto found = std::make_shared<Result<void>>();
  work_.run(
      [path = path_, found] {
        auto connection = SqliteConnection::open(path, SqliteConnection::Mode::read_only);
        *found = connection ? (*connection)->check() : Result<void>(connection.error());
      },
      [this, found, alive = alive_] {
        if (!*alive || *found || found->error().kind != ErrorKind::broken) return;
        broken_ = found->error();
        if (state_ == State::idle) replace(*broken_);
      });
}

// Between two batches. Whoever finds the file moved already has only to open the new one.
void SqliteStore::replace(const Error& why) {
  broken_.reset();
  const bool in_place = connection_->is_in_place();
  if (in_place && !on_put_aside_) return;
  connection_.reset();
  const std::string where = in_place ? put_aside(path_) : "";
  auto opened = SqliteConnection::open(path_, SqliteConnection::Mode::read_write);
  if (opened) connection_ = *std::move(opened);
  if (!where.empty()) on_put_aside_(where, why);
}

void SqliteStore::accept(StoreCall call) {
  if (waiting_.size() >= kStoreQueueMax) return refuse(std::move(call));
  waiting_.push_back(std::move(call));
  if (state_ == State::idle) start_next();
}

// An empty job: `done` is not to be called before commit() or query() has returned.
void SqliteStore::refuse(StoreCall call) {
  work_.run(
      [] {},
      [call = std::move(call), alive = alive_] {
        if (*alive)
          call.fail({ErrorKind::busy, "store", "too much waits to be written; try again later"});
      });
}

std::shared_ptr<StoreBatch> SqliteStore::take_batch() {
  if (connection_ == nullptr) {  // it could not be begun anew: tried again with each batch
    auto opened = SqliteConnection::open(path_, SqliteConnection::Mode::read_write);
    if (opened) connection_ = *std::move(opened);
  }
  std::vector<StoreCall> calls;
  const bool is_query = waiting_.front().is_query;
  const size_t size_max = is_query ? 1 : kStoreGroupMax;
  while (!waiting_.empty() && calls.size() < size_max && waiting_.front().is_query == is_query) {
    calls.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return std::make_shared<StoreBatch>(connection_, std::move(calls));
}

void SqliteStore::start_next() {
  state_ = State::idle;
  running_.reset();
  if (waiting_.empty()) return;
  state_ = State::working;
  running_ = take_batch();
  work_.run([batch = running_] { batch->run(); },
            [this, batch = running_, alive = alive_] {
              if (*alive) finish(batch);
            });
}

// The next batch starts before the callbacks of this one: they may take their time, call again, or
// end the store.
void SqliteStore::finish(const std::shared_ptr<StoreBatch>& batch) {
  running_.reset();
  if (auto why = batch->lost_file()) broken_ = std::move(why);
  if (broken_) replace(*broken_);
  start_next();
  batch->deliver();
}

}  // namespace sluice::drivers
