// One connection to an SQLite 3 file, used synchronously.
// Thread: any, but one call at a time.
// Errors: busy (disk full or failing, locked by another), broken (the file is damaged), refused
// (wrong SQL, a constraint, no permission), gone (read-only: there is no such file).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/ports/store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::drivers {

inline constexpr int kSqlLockWaitMs = 5000;  // for a lock that another program holds
inline constexpr size_t kSqlStatementsKept = 64;
inline constexpr size_t kSqlAnswerBytesMax = 32 * 1024 * 1024;  // of one query; then it is cut

class SqliteConnection {
 public:
  enum class Mode { read_write, read_only };

  // read_write: made with mode 0600 if it is not there; WAL, synchronous=FULL, foreign keys on.
  static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path, Mode mode);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // Order: begin; execute...; end. After an error of execute or end: give_up, and nothing was done.
  // begin: gone, if the file is no longer in its place.
  Result<void> begin();
  Result<void> execute(const std::vector<ports::SqlStatement>& statements);
  Result<void> end();
  void give_up();

  // Whether the file at its path is still this one: somebody may have put it aside.
  bool is_in_place() const;
  // Reads all of it: takes a second or more for a large one. Errors: broken, what is wrong first.
  Result<void> check();

  Result<ports::SqlRows> query(const ports::SqlStatement& statement, size_t rows_max);

 private:
  explicit SqliteConnection(sqlite3* db) : db_(db) {}
  Error fault() const;  // of the last call
  Result<void> run(const char* sql);
  Result<void> configure();
  Result<sqlite3_stmt*> prepare(const std::string& sql);
  Result<sqlite3_stmt*> ready(const ports::SqlStatement& statement);  // prepared and bound
  Result<void> execute_one(const ports::SqlStatement& statement);
  Result<ports::SqlRows> rows_of(const ports::SqlStatement& statement, size_t rows_max);
  void forget_statements();

  sqlite3* db_;
  std::unordered_map<std::string, sqlite3_stmt*> kept_;
};

}  // namespace sluice::drivers
