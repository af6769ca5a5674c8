// What earlier processes left in journal files: read piece by piece, so that the memory it takes is
// one file and the attempts open in it, whatever the disk holds.
//
// An end without its start belongs to an attempt that was stored, whose first file is gone. A start
// without an end becomes `interrupted`, once all files are read. A last line that is torn was
// never finished: its attempt was not sent, or is interrupted.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/meter/attempt_line.h"
#include "firmware/meter/ledger.h"
#include "firmware/meter/meter_journal.h"
#include "firmware/ports/files.h"

namespace sluice::meter {

class Leftovers {
 public:
  // Takes over the holds of journal.found(); each row it gives holds the files it names.
  Leftovers(MeterJournal& journal, ports::Files& files, Log& log);

  // The next rows, at most `rows_max`; none: there are no more.
  std::vector<LedgerRow> take(size_t rows_max);

  bool is_empty() const { return next_ >= files_to_read_.size() && !reading_ && started_.empty(); }
  int bad_files() const { return bad_files_; }  // unreadable or with bad lines, kept for people

 private:
  struct Reading {
    MeterJournal::FileNumber file = 0;
    std::string text;
    size_t at = 0;
    Currency currency;
    int bad_lines = 0;
  };
  struct Started {
    AttemptStart attempt;
    Currency currency;
    MeterJournal::FileNumber file = 0;
  };

  void read_next_file();
  bool begin(Reading& reading);
  std::optional<std::string_view> next_line();
  void end_file();
  std::optional<LedgerRow> take_line(std::string_view line);
  void note_start(AttemptStart attempt);
  std::optional<LedgerRow> note_end(const JournalEnd& end);
  LedgerRow take_interrupted();

  MeterJournal& journal_;
  ports::Files& files_;
  Log& log_;
  const std::vector<MeterJournal::FileNumber> files_to_read_;
  size_t next_ = 0;
  std::optional<Reading> reading_;
  std::map<uint64_t, Started> started_;
  int bad_files_ = 0;
};

}  // namespace sluice::meter
