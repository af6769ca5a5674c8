// The journal files of one folder: which is written, which are still needed, which of other
// processes may be taken over. Their names: journal_name.h.
//
// Several processes may use the folder (an upgrade in place: the old one still counts its last
// attempts). Each writes files of its own, under a lock that it holds until it ends: while it
// lives nobody else reads, renames or removes them. When it has ended, however it did, the first
// that takes its lock stores what it left.
//
// A file is needed while something holds it: an attempt with a line in it that is not stored, or
// who reads it. The file being written is needed too; it gives way to the next at `file_max`, or
// when nothing holds it and it is worth tidying (kTidySize), or after a failed write, so that a
// torn line is always the last of its file. Errors: a failed write is told by write() and `fault`;
// it is tried anew kRetryAfter later.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/base/result.h"
#include "firmware/base/units.h"
#include "firmware/meter/journal_name.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/files.h"

namespace sluice::meter {

inline constexpr Bytes kJournalFileMax{256 * 1024 * 1024};  // a file is read whole
inline constexpr Bytes kTidySize{1024 * 1024};

class MeterJournal {
 public:
  static constexpr Duration kRetryAfter = Duration::seconds(1);
  static constexpr int kWriterTriesMax = 100;

  struct Place {
    std::string folder;
    Bytes file_max;
    Currency currency;
  };

  MeterJournal(Place place, ports::Files& files, const ports::Clock& clock, Log& log);
  ~MeterJournal();  // removes the file being written if nothing holds it
  MeterJournal(const MeterJournal&) = delete;
  MeterJournal& operator=(const MeterJournal&) = delete;

  // Makes the folder, becomes a writer and makes a new file.
  Result<void> open();

  // Takes over what ended processes left: their files, each held once, in the order written.
  std::vector<FileNumber> take_over();
  bool others_live() const { return others_live_; }  // as take_over() saw it: look again later

  // One append. Nothing: it was not written. The file holds itself only while it is written to.
  std::optional<FileNumber> write(std::string_view lines);

  // After a fault: whether a file can be written again is found out now, not with the next write.
  void try_again();

  void hold(FileNumber file) { ++holds_[file]; }
  void release(FileNumber file);
  // When nothing holds it any more it is renamed to .broken, for people, and is not removed.
  void set_aside(FileNumber file) { bad_.insert(file); }

  std::string path(FileNumber file) const;
  const std::string& fault() const { return fault_; }  // why writing fails; empty: it does not

 private:
  std::string lock_path(int64_t writer) const;
  Result<void> become_writer(const std::vector<std::string>& names);
  std::set<int64_t> lock_ended(const std::vector<std::string>& names);
  Result<void> open_next();
  Result<void> append(std::string_view lines);
  Result<void> dispose_of(FileNumber file);
  void dispose_of_unneeded();
  void let_go_of_writers();
  void note(const Result<void>& result);

  // Fixed after construction.
  const Place place_;
  ports::Files& files_;
  const ports::Clock& clock_;
  Log& log_;
  // Changes.
  std::map<int64_t, std::unique_ptr<ports::FileLock>> writers_;  // this one and those taken over
  std::map<FileNumber, int64_t> holds_;
  std::set<FileNumber> bad_;
  std::unique_ptr<ports::AppendFile> current_;  // null: the next write opens one
  FileNumber last_ = 0;                         // the newest of this writer
  int64_t writer_ = 0;                          // 0 before open()
  bool others_live_ = false;
  bool is_over_ = false;  // this writer ends
  Instant retry_at_;
  std::string fault_;
  bool dispose_fails_ = false;
};

}  // namespace sluice::meter
