// The store in memory, with the books that a test can hold against what really happened: every row
// of an attempt, counted and summed.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "tests/script/memory.h"

namespace sluice::sim {

class LedgerBook final : public script::MemoryStore {
 public:
  using script::MemoryStore::MemoryStore;

  struct Sum {
    int64_t attempts = 0;
    int64_t cost_nano = 0;
    int64_t out_counted = 0;
    bool operator==(const Sum&) const = default;
  };
  std::map<std::string, Sum> by_outcome;
  std::set<int64_t> ids;  // the table's key: a row that comes again is the same row

  void commit(std::vector<ports::SqlStatement> statements,
              std::function<void(Result<void>)> done) override {
    for (const ports::SqlStatement& row : statements) {
      if (row.values.size() != kColumns) continue;  // the table itself
      if (!ids.insert(std::get<int64_t>(row.values[0])).second) continue;
      Sum& sum = by_outcome[std::get<std::string>(row.values[kOutcome])];
      ++sum.attempts;
      sum.cost_nano += std::get<int64_t>(row.values[kCost]);
      sum.out_counted += std::get<int64_t>(row.values[kOutCounted]);
    }
    script::MemoryStore::commit({}, std::move(done));
  }

 private:
  // As firmware/meter/ledger.cpp inserts them.
  static constexpr size_t kColumns = 20;
  static constexpr size_t kOutCounted = 13;
  static constexpr size_t kCost = 14;
  static constexpr size_t kOutcome = 16;
};

}  // namespace sluice::sim
