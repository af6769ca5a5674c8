// A Store in one SQLite file, used through Work: one batch at a time is on a worker, the others
// wait in order. Commits that wait together go into one transaction, so that they share its one
// fsync; if that transaction fails each is done again alone, and the error reaches the right
// caller.
//
// A damaged file, found at the opening, by a check or by a commit, is put aside as
// <path>.broken-<n>, n from 1, for people, and a new one is begun: what was being written then
// fails, and is to be written again. A file that another process put aside is let go of likewise.
//
// Lifetime: destroy it after the loop has ended, before or after the Work. The destructor writes
// what was accepted and still waits; no `done` is called from then on. Errors: those of
// ports::Store, and busy if kStoreQueueMax calls wait already.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/sqlite/sqlite_connection.h"
#include "firmware/ports/store.h"
#include "firmware/ports/work.h"

namespace sluice::drivers {

inline constexpr size_t kStoreQueueMax = 4096;  // calls
inline constexpr size_t kStoreGroupMax = 128;   // commits in one transaction

inline constexpr int kBrokenFilesMax = 100;

class StoreBatch;
struct StoreCall;

class SqliteStore final : public ports::Store {
 public:
  // Makes the file if it is not there. Blocks: for the start of the program. `work` outlives the
  // last call.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path, ports::Work& work);
  // `on_put_aside` hears of each file put aside: where it is now, and why.
  using OnPutAside = std::function<void(const std::string& where, const Error& why)>;
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path, ports::Work& work,
                                                   OnPutAside on_put_aside);
  // Reads the whole file, on a worker, beside everything else.
  void check();
  // Reads without a store, blocking: for the command line. The file may be in use by a daemon.
  static Result<ports::SqlRows> query_now(const std::string& path,
                                          const ports::SqlStatement& statement, size_t rows_max);
  ~SqliteStore() override;

  void commit(std::vector<ports::SqlStatement> statements,
              std::function<void(Result<void>)> done) override;
  void query(ports::SqlStatement statement, size_t rows_max,
             std::function<void(Result<ports::SqlRows>)> done) override;

 private:
  enum class State { idle, working };

  SqliteStore(std::unique_ptr<SqliteConnection> connection, std::string path, ports::Work& work,
              OnPutAside on_put_aside);
  void replace(const Error& why);
  void accept(StoreCall call);
  void refuse(StoreCall call);
  std::shared_ptr<StoreBatch> take_batch();
  void start_next();
  void finish(const std::shared_ptr<StoreBatch>& batch);

  State state_ = State::idle;
  ports::Work& work_;
  const std::string path_;
  const OnPutAside on_put_aside_;                 // may be empty
  std::optional<Error> broken_;                   // found by a check while a batch was under way
  std::shared_ptr<SqliteConnection> connection_;  // shared with the job that runs
  std::deque<StoreCall> waiting_;
  std::shared_ptr<StoreBatch> running_;
  std::shared_ptr<bool> alive_;  // false after destruction; read on the loop thread
};

}  // namespace sluice::drivers
