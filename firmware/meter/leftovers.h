// What ended processes left in journal files: read piece by piece, so that the memory it takes is
// one file and the attempts open in it, whatever the disk holds. A file is read on a worker, so
// that a long one keeps nobody waiting; its lines are taken on the loop, a bounded number at a
// time.
//
// An end without its start belongs to an attempt that was stored, whose first file is gone. A start
// without an end becomes `interrupted`, once all files are read. A last line that is torn was
// never finished: its attempt was not sent, or is interrupted.
//
// State: idle -> fetching (the worker reads a file) -> reading (its lines) -> idle
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/base/callback.h"
#include "firmware/base/log.h"
#include "firmware/meter/attempt_line.h"
#include "firmware/meter/ledger.h"
#include "firmware/meter/meter_journal.h"
#include "firmware/ports/files.h"
#include "firmware/ports/work.h"

namespace sluice::meter {

class Leftovers {
 public:
  static constexpr int kLinesPerTake = 4000;

  // `on_more`: take() may have more rows now; from a turn of its own.
  Leftovers(MeterJournal& journal, ports::Files& files, ports::Work& work, Log& log,
            Callback on_more);
  ~Leftovers();
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;

  // Takes over the one hold of each; each row that it gives holds the files it names. All files of
  // an ended process together.
  void add(const std::vector<FileNumber>& files);

  // The next rows, at most `rows_max`; none: there are no more, or on_more will tell.
  std::vector<LedgerRow> take(size_t rows_max);

  bool is_idle() const {
    return state_ == State::idle && files_to_read_.empty() && started_.empty();
  }
  int bad_files() const { return bad_files_; }  // unreadable or with bad lines, kept for people

 private:
  enum class State { idle, fetching, reading };

  struct Reading {
    FileNumber file = 0;
    std::string text;
    size_t at = 0;
    Currency currency;
    int bad_lines = 0;
  };
  struct Started {
    AttemptStart attempt;
    Currency currency;
    FileNumber file = 0;
  };

  void move_to(State state);
  void fetch_next_file();
  void on_fetched(FileNumber file, Result<std::string> text);
  void say_more();
  bool begin(Reading& reading);
  std::optional<std::string_view> next_line();
  void end_file();
  std::optional<LedgerRow> take_line(std::string_view line);
  void note_start(AttemptStart attempt);
  std::optional<LedgerRow> note_end(const JournalEnd& end);
  LedgerRow take_interrupted();

  // Fixed after construction.
  MeterJournal& journal_;
  ports::Files& files_;
  ports::Work& work_;
  Log& log_;
  const Callback on_more_;
  // Changes.
  State state_ = State::idle;
  std::deque<FileNumber> files_to_read_;
  Reading reading_;
  std::map<uint64_t, Started> started_;
  int bad_files_ = 0;
  std::shared_ptr<Leftovers*> self_;  // null inside after destruction: the worker may answer later
};

}  // namespace sluice::meter
