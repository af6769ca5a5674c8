// The journal files attempts-<n>.journal of one folder: which is written, which are still needed.
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
#include "firmware/ports/clock.h"
#include "firmware/ports/files.h"

namespace sluice::meter {

inline constexpr Bytes kJournalFileMax{256 * 1024 * 1024};  // a file is read whole at the start
inline constexpr Bytes kTidySize{1024 * 1024};

class MeterJournal {
 public:
  using FileNumber = int64_t;  // from 1; rising
  static constexpr Duration kRetryAfter = Duration::seconds(1);

  struct Place {
    std::string folder;
    Bytes file_max;
    Currency currency;
  };

  MeterJournal(Place place, ports::Files& files, const ports::Clock& clock, Log& log);
  ~MeterJournal();  // removes the file being written if nothing holds it
  MeterJournal(const MeterJournal&) = delete;
  MeterJournal& operator=(const MeterJournal&) = delete;

  // Makes the folder and a new file. Files found are held once each: see found().
  Result<void> open();
  const std::vector<FileNumber>& found() const { return found_; }  // of earlier processes, rising

  // One append. Nothing: it was not written. The file holds itself only while it is written to.
  std::optional<FileNumber> write(std::string_view lines);

  // After a fault: whether a file can be written again is found out now, not with the next write.
  void try_again();

  void hold(FileNumber file) { ++holds_[file]; }
  void release(FileNumber file);
  // When nothing holds it any more it becomes attempts-<n>.broken, for people, and is not removed.
  void set_aside(FileNumber file) { bad_.insert(file); }

  std::string path(FileNumber file) const;
  const std::string& fault() const { return fault_; }  // why writing fails; empty: it does not

 private:
  Result<void> open_next();
  Result<void> append(std::string_view lines);
  Result<void> dispose_of(FileNumber file);
  void dispose_of_unneeded();
  void note(const Result<void>& result);

  // Fixed after construction.
  const Place place_;
  ports::Files& files_;
  const ports::Clock& clock_;
  Log& log_;
  // Changes.
  std::vector<FileNumber> found_;
  std::map<FileNumber, int64_t> holds_;
  std::set<FileNumber> bad_;
  std::unique_ptr<ports::AppendFile> current_;  // null: the next write opens one
  FileNumber last_ = 0;                         // the newest number used
  Instant retry_at_;
  std::string fault_;
  bool dispose_fails_ = false;
};

}  // namespace sluice::meter
