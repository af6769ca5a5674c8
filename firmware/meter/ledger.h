// Rows of attempts on their way into the store's table `attempts`, in groups.
//
// State: idle -> waiting (a row came; the group fills for `commit`) -> committing -> idle, or
// waiting for kRetryAfter if the store refused. At most one commit is in flight, of at most
// kRowsPerCommit rows; rows stay here until the store says that they are durable. A row that is
// stored twice (after a crash) is there once: the first counts.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/base/units.h"
#include "firmware/meter/attempt.h"
#include "firmware/meter/journal_name.h"
#include "firmware/ports/store.h"
#include "firmware/ports/timers.h"

namespace sluice::meter {

struct LedgerRow {
  AttemptStart start;
  AttemptEnd end;
  Currency currency;
  FileNumber start_file = 0;  // the journal file that has the line; 0 = none has
  FileNumber end_file = 0;
};

// The table's statements, for the ledger itself and for tests.
std::vector<ports::SqlStatement> make_attempts_table();
ports::SqlStatement insert_attempt(const LedgerRow& row);

class Ledger {
 public:
  static constexpr size_t kRowsPerCommit = 500;
  static constexpr Duration kRetryAfter = Duration::seconds(2);

  // `on_stored` hears of each row once it is durable, from a turn of its own.
  using OnStored = std::function<void(const std::vector<LedgerRow>&)>;
  Ledger(ports::Store& store, ports::Timers& timers, Log& log, Duration commit, OnStored on_stored);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  void open();  // makes the table; a failure is told by fault() and tried again with the rows
  void add(LedgerRow row);
  size_t pending() const { return pending_.size(); }
  template <class Visit>
  void visit_waiting(Visit visit) const {  // rows that the store has not been given
    for (size_t i = in_flight_; i < pending_.size(); ++i) visit(pending_[i]);
  }

  // `done` when the rows of now are durable, or the store has refused; never inside this call.
  void flush(Callback done);

  const std::string& fault() const { return fault_; }  // why storing fails; empty: it does not

 private:
  enum class State { idle, waiting, committing };

  struct Flush {
    uint64_t up_to;  // rows ever added
    Callback done;
  };

  void move_to(State state);
  void commit_now();
  void on_committed(const Result<void>& result);
  void on_rows_stored();
  void on_refused(const Error& error);
  void go_on();
  void end_flushes(bool refused);

  // Fixed after construction.
  ports::Store& store_;
  Log& log_;
  const Duration commit_;
  const OnStored on_stored_;
  // Changes.
  State state_ = State::idle;
  bool table_made_ = false;
  std::deque<LedgerRow> pending_;  // the first in_flight_ of them are with the store
  size_t in_flight_ = 0;
  uint64_t stored_ = 0;  // rows ever stored
  std::vector<Flush> flushes_;
  std::string fault_;
  std::unique_ptr<ports::Timer> timer_;
  std::unique_ptr<ports::Timer> flush_timer_;
  std::shared_ptr<Ledger*> self_;  // null inside after destruction: the store may answer later
};

}  // namespace sluice::meter
