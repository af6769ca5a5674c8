// A small relational store (SQL of SQLite 3), used off the loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::ports {

using SqlValue = std::variant<std::monostate, int64_t, double, std::string>;

struct SqlStatement {
  std::string sql;               // with ? for each parameter
  std::vector<SqlValue> values;  // in order
};

struct SqlRows {
  std::vector<std::string> columns;
  std::vector<std::vector<SqlValue>> rows;
  bool cut = false;  // there were more than `rows_max`
};

class Store {
 public:
  virtual ~Store() = default;
  // Order: calls are carried out one after another in the order made; `done` runs on the loop.
  // All statements in one transaction, durable (synchronous=FULL) when `done` hears success.
  // Errors: busy (disk full: try again), broken (the file is damaged), refused (the SQL is wrong).
  virtual void commit(std::vector<SqlStatement> statements,
                      std::function<void(Result<void>)> done) = 0;
  virtual void query(SqlStatement statement, size_t rows_max,
                     std::function<void(Result<SqlRows>)> done) = 0;
};

}  // namespace sluice::ports
