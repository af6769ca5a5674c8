#include "drivers/sqlite/sqlite_store.h"

#include <algorithm>

#include "drivers/sqlite/store_batch.h"

namespace sluice::drivers {

using ports::SqlRows;
using ports::SqlStatement;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, ports::Work& work) {
  auto connection = SqliteConnection::open(path, SqliteConnection::Mode::read_write);
  if (!connection) return connection.error();
  return std::unique_ptr<SqliteStore>(new SqliteStore(*std::move(connection), work));
}

Result<SqlRows> SqliteStore::query_now(const std::string& path, const SqlStatement& statement,
                                       size_t rows_max) {
  auto connection = SqliteConnection::open(path, SqliteConnection::Mode::read_only);
  if (!connection) return connection.error();
  return (*connection)->query(statement, rows_max);
}

SqliteStore::SqliteStore(std::unique_ptr<SqliteConnection> connection, ports::Work& work)
    : work_(work), connection_(std::move(connection)), alive_(std::make_shared<bool>(true)) {}

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
  start_next();
  batch->deliver();
}

}  // namespace sluice::drivers
