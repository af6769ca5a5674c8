#include "drivers/sqlite/sqlite_connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice::drivers {

using ports::SqlRows;
using ports::SqlStatement;
using ports::SqlValue;

namespace {

Error store_error(ErrorKind kind, std::string text) { return {kind, "store", std::move(text)}; }

// Result codes: https://www.sqlite.org/rescode.html. No text holds a bound value.
Error to_error(int code, std::string_view message) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return store_error(ErrorKind::busy, "the disk is full; free some space, nothing was written");
    case SQLITE_IOERR:
      return store_error(ErrorKind::busy, fmt::format("the disk does not answer as it should ({}); "
                                                      "check its space and health",
                                                      message));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return store_error(ErrorKind::busy, "another program holds the store; close it");
    case SQLITE_NOMEM:
      return store_error(ErrorKind::busy, "out of memory");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return store_error(ErrorKind::broken,
                         fmt::format("the file is damaged ({}); restore a copy", message));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return store_error(
          ErrorKind::refused,
          fmt::format("{}; check the owner and mode of the file and its folder", message));
    default:
      return store_error(ErrorKind::refused, std::string(message));
  }
}

// SQLite would make the file readable for all; its WAL takes the mode of the file.
Result<void> make_private_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return store_error(ErrorKind::refused, fmt::format("cannot open {}: {}; check that its folder "
                                                       "exists and may be written",
                                                       path, std::strerror(errno)));
  }
  ::close(fd);
  return {};
}

int bind_one(sqlite3_stmt* statement, int index, const SqlValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) {
    return sqlite3_bind_int64(statement, index, *whole);
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return sqlite3_bind_double(statement, index, *real);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC,
                               SQLITE_UTF8);
  }
  return sqlite3_bind_null(statement, index);
}

SqlValue column_value(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return static_cast<int64_t>(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_NULL:
      return std::monostate();
    default: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
      const int size = sqlite3_column_bytes(statement, column);
      return bytes == nullptr ? std::string() : std::string(bytes, static_cast<size_t>(size));
    }
  }
}

size_t size_of(const SqlValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return sizeof(SqlValue) + (text == nullptr ? 0 : text->size());
}

// Makes a kept statement usable again, and lets go of the values that it was bound to.
class Running {
 public:
  explicit Running(sqlite3_stmt* statement) : statement_(statement) {}
  ~Running() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path,
                                                                 Mode mode) {
  if (mode == Mode::read_only && ::access(path.c_str(), F_OK) != 0) {
    return store_error(ErrorKind::gone, fmt::format("there is no {}", path));
  }
  if (mode == Mode::read_write) {
    if (auto made = make_private_file(path); !made) return made.error();
  }
  sqlite3* db = nullptr;
  const int flags = mode == Mode::read_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags | SQLITE_OPEN_FULLMUTEX, nullptr);
  if (db == nullptr) return store_error(ErrorKind::busy, "out of memory");
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(db));
  if (code != SQLITE_OK) return connection->fault();
  sqlite3_busy_timeout(db, kSqlLockWaitMs);
  if (mode == Mode::read_write) {
    if (auto done = connection->configure(); !done) return done.error();
  }
  return connection;
}

SqliteConnection::~SqliteConnection() {
  forget_statements();
  sqlite3_close(db_);
}

Error SqliteConnection::fault() const {
  return to_error(sqlite3_errcode(db_), sqlite3_errmsg(db_));
}

Result<void> SqliteConnection::run(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return fault();
  return {};
}

Result<void> SqliteConnection::configure() {
  auto mode = rows_of({"PRAGMA journal_mode=WAL", {}}, 1);
  if (!mode) return mode.error();
  if (mode->rows.empty() || mode->rows[0][0] != SqlValue(std::string("wal"))) {
    return store_error(
        ErrorKind::refused,
        "the file system cannot hold a write-ahead log; put the store on a local disk");
  }
  return run(
      "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
      "SELECT count(*) FROM sqlite_schema");
}

Result<sqlite3_stmt*> SqliteConnection::prepare(const std::string& sql) {
  const auto found = kept_.find(sql);
  if (found != kept_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, &tail);
  if (code != SQLITE_OK) return fault();
  const std::string_view rest(tail, static_cast<size_t>(sql.data() + sql.size() - tail));
  if (statement == nullptr || rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    sqlite3_finalize(statement);
    return store_error(ErrorKind::refused, "not exactly one SQL statement");
  }
  if (kept_.size() >= kSqlStatementsKept) forget_statements();
  kept_.emplace(sql, statement);
  return statement;
}

Result<sqlite3_stmt*> SqliteConnection::ready(const SqlStatement& statement) {
  auto prepared = prepare(statement.sql);
  if (!prepared) return prepared;
  const int wanted = sqlite3_bind_parameter_count(*prepared);
  if (wanted != static_cast<int>(statement.values.size())) {
    return store_error(ErrorKind::refused, fmt::format("the SQL has {} parameters, not {}", wanted,
                                                       statement.values.size()));
  }
  for (int i = 0; i < wanted; ++i) {
    const int code = bind_one(*prepared, i + 1, statement.values[static_cast<size_t>(i)]);
    if (code != SQLITE_OK) return fault();
  }
  return prepared;
}

void SqliteConnection::forget_statements() {
  for (const auto& [sql, statement] : kept_) sqlite3_finalize(statement);
  kept_.clear();
}

Result<void> SqliteConnection::begin() {
  if (!is_in_place()) {
    return store_error(ErrorKind::gone, "the file was put aside; another one is begun");
  }
  return run("BEGIN IMMEDIATE");
}

bool SqliteConnection::is_in_place() const {
  int moved = 0;
  return sqlite3_file_control(db_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
         moved == 0;
}

Result<void> SqliteConnection::check() {
  auto found = rows_of({"PRAGMA quick_check(1)", {}}, 1);
  if (!found) return found.error();
  if (!found->rows.empty() && found->rows[0][0] == SqlValue(std::string("ok"))) return {};
  const auto* what = found->rows.empty() ? nullptr : std::get_if<std::string>(&found->rows[0][0]);
  return store_error(ErrorKind::broken,
                     fmt::format("the file is damaged ({})", what == nullptr ? "?" : *what));
}

Result<void> SqliteConnection::end() { return run("COMMIT"); }

void SqliteConnection::give_up() {
  if (sqlite3_get_autocommit(db_) == 0) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<void> SqliteConnection::execute(const std::vector<SqlStatement>& statements) {
  for (const SqlStatement& statement : statements) {
    if (auto done = execute_one(statement); !done) return done;
  }
  return {};
}

Result<void> SqliteConnection::execute_one(const SqlStatement& statement) {
  auto prepared = ready(statement);
  if (!prepared) return prepared.error();
  const Running running(*prepared);
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(*prepared);
  if (code != SQLITE_DONE) return fault();
  if (sqlite3_get_autocommit(db_) != 0) {
    return store_error(ErrorKind::refused, "a statement ended the transaction it stands in");
  }
  return {};
}

Result<SqlRows> SqliteConnection::query(const SqlStatement& statement, size_t rows_max) {
  auto prepared = prepare(statement.sql);
  if (!prepared) return prepared.error();
  if (sqlite3_stmt_readonly(*prepared) == 0) {
    return store_error(ErrorKind::refused, "the SQL of a query writes; commit it");
  }
  return rows_of(statement, rows_max);
}

Result<SqlRows> SqliteConnection::rows_of(const SqlStatement& statement, size_t rows_max) {
  auto prepared = ready(statement);
  if (!prepared) return prepared.error();
  const Running running(*prepared);
  SqlRows answer;
  const int columns = sqlite3_column_count(*prepared);
  if (columns == 0) return store_error(ErrorKind::refused, "the SQL of a query gives no rows");
  for (int i = 0; i < columns; ++i) answer.columns.push_back(sqlite3_column_name(*prepared, i));
  size_t bytes = 0;
  while (true) {
    const int code = sqlite3_step(*prepared);
    if (code == SQLITE_DONE) return answer;
    if (code != SQLITE_ROW) return fault();
    if (answer.rows.size() == rows_max || bytes > kSqlAnswerBytesMax) {
      answer.cut = true;
      return answer;
    }
    std::vector<SqlValue>& row = answer.rows.emplace_back();
    for (int i = 0; i < columns; ++i)
      bytes += size_of(row.emplace_back(column_value(*prepared, i)));
  }
}

}  // namespace sluice::drivers
