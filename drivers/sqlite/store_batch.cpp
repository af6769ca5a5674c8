#include "drivers/sqlite/store_batch.h"

#include "firmware/base/check.h"

namespace sluice::drivers {

StoreBatch::StoreBatch(std::shared_ptr<SqliteConnection> connection, std::vector<StoreCall> calls)
    : connection_(std::move(connection)), calls_(std::move(calls)) {
  ENSURE(!calls_.empty());
  ENSURE(!calls_.front().is_query || calls_.size() == 1);
}

void StoreBatch::run() {
  const std::lock_guard lock(mutex_);
  if (ran_) return;
  ran_ = true;
  if (connection_ == nullptr) return run_without_file();
  const StoreCall& first = calls_.front();
  if (first.is_query) {
    found_ = connection_->query(first.statements.front(), first.rows_max);
  } else {
    run_commits();
  }
}

void StoreBatch::run_without_file() {
  const Error error{ErrorKind::busy, "store", "the file cannot be opened; see the log"};
  found_ = error;
  committed_.assign(calls_.size(), error);
}

std::optional<Error> StoreBatch::lost_file() const {
  const auto lost = [](const auto& result) {
    return !result &&
           (result.error().kind == ErrorKind::broken || result.error().kind == ErrorKind::gone);
  };
  if (lost(found_)) return found_.error();
  for (const Result<void>& result : committed_) {
    if (lost(result)) return result.error();
  }
  return std::nullopt;
}

void StoreBatch::run_commits() {
  if (commit_together()) {
    committed_.assign(calls_.size(), Result<void>());
    return;
  }
  for (const StoreCall& call : calls_) committed_.push_back(commit_one(call));
}

Result<void> StoreBatch::commit_together() {
  Result<void> done = connection_->begin();
  for (const StoreCall& call : calls_) {
    if (done) done = connection_->execute(call.statements);
  }
  if (done) done = connection_->end();
  if (!done) connection_->give_up();
  return done;
}

Result<void> StoreBatch::commit_one(const StoreCall& call) {
  Result<void> done = connection_->begin();
  if (done) done = connection_->execute(call.statements);
  if (done) done = connection_->end();
  if (!done) connection_->give_up();
  return done;
}

void StoreBatch::deliver() {
  const std::lock_guard lock(mutex_);
  ENSURE(ran_);
  if (calls_.front().is_query) {
    calls_.front().on_query(std::move(found_));
    return;
  }
  for (size_t i = 0; i < calls_.size(); ++i) calls_[i].on_commit(committed_[i]);
}

}  // namespace sluice::drivers
