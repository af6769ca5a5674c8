// What one job on a worker does for the store: one query, or commits that share a transaction.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "drivers/sqlite/sqlite_connection.h"
#include "firmware/ports/store.h"

namespace sluice::drivers {

struct StoreCall {
  bool is_query = false;
  std::vector<ports::SqlStatement> statements;  // a query: exactly one
  size_t rows_max = 0;
  std::function<void(Result<void>)> on_commit;           // of a commit
  std::function<void(Result<ports::SqlRows>)> on_query;  // of a query

  void fail(const Error& error) const { is_query ? on_query(error) : on_commit(error); }
};

// Thread: run() on any; the rest on the loop, before or after run().
class StoreBatch {
 public:
  StoreBatch(std::shared_ptr<SqliteConnection> connection, std::vector<StoreCall> calls);

  // Does the work once: a second call waits until the first has ended, and does nothing.
  void run();
  // Why the file is of no use any more: it is damaged, or was put aside. After run().
  std::optional<Error> lost_file() const;
  void deliver();  // the results to those who asked, in order; after run()

 private:
  void run_without_file();
  void run_commits();
  Result<void> commit_together();
  Result<void> commit_one(const StoreCall& call);

  std::shared_ptr<SqliteConnection> connection_;
  std::vector<StoreCall> calls_;
  std::mutex mutex_;
  bool ran_ = false;                                // under the mutex
  std::vector<Result<void>> committed_;             // one for each call
  Result<ports::SqlRows> found_{ports::SqlRows()};  // of the query
};

}  // namespace sluice::drivers
