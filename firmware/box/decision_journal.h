// Every decision as a line in <state_dir>/decisions/<n>.journal, for `sluiced replay`. Lines are
// gathered for kGatherTime and written in one piece; at most `files_max` files of `file_max` bytes
// are kept, the oldest goes. While an upgrade in place drains the old
// process, two write here, each a file of its own. A decision that cannot be written is lost, said
// once, and counted: the journal explains, the meter bills.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "firmware/base/log.h"
#include "firmware/base/result.h"
#include "firmware/ports/files.h"
#include "firmware/ports/timers.h"
#include "firmware/proxy/decision_log.h"

namespace sluice::box {

class DecisionJournal : public proxy::DecisionSink {
 public:
  static constexpr Duration kGatherTime = Duration::ms(100);
  static constexpr size_t kGatherMax = 256 * 1024;

  DecisionJournal(std::string folder, ports::Files& files, ports::Timers& timers, Log& log);
  ~DecisionJournal() override;

  void set_bounds(Bytes file_max, int64_t files_max);
  Result<void> open();
  void on_decision(const valve::Decision& decision) override;
  void flush();

 private:
  Result<void> open_next();

  std::string folder_;
  ports::Files& files_;
  Log& log_;
  Bytes file_max_{64 * 1024 * 1024};
  int64_t files_max_ = 4;
  std::unique_ptr<ports::Timer> gather_;
  std::unique_ptr<ports::AppendFile> file_;
  std::set<uint64_t> policies_;  // those whose line stands in the current file
  valve::Policy policy_;         // the last one, and what it is called
  std::optional<uint64_t> policy_id_;
  std::string lines_;
  bool failing_ = false;
};

// "00000012.journal"; numbers rise.
std::string journal_name(int64_t number);

}  // namespace sluice::box
