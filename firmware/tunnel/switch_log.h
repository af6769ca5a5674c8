// The switches of this site: the last ones in memory, all in a file of JSON lines that is bounded
// by putting the old one aside.
// Thread: loop.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "firmware/base/log.h"
#include "firmware/base/units.h"
#include "firmware/ports/files.h"
#include "firmware/tunnel/switch_record.h"

namespace sluice::tunnel {

class SwitchLog {
 public:
  static constexpr size_t kKept = 256;               // in memory
  static constexpr Bytes kFileMax{1024 * 1024};      // then the file is put aside as NAME.1
  static constexpr Bytes kReadMax{2 * 1024 * 1024};  // of a file that is read back
  static constexpr std::string_view kFile = "switches.jsonl";

  // `folder` is made when needed. The references must outlive it.
  SwitchLog(ports::Files& files, std::string folder, Log& log);

  // Reads the last ones back. A file that cannot be opened is said, and tried again with each
  // record.
  void open();
  // Gives the record its number. A file that cannot be written is said once.
  const SwitchRecord& add(SwitchRecord record);
  const std::deque<SwitchRecord>& kept() const { return kept_; }  // oldest first
  uint64_t count() const { return next_ - 1; }

 private:
  std::string path() const;
  Result<void> open_file();
  Result<void> write(const SwitchRecord& record);
  bool read_back(const std::string& path);  // true: its last line was cut
  void keep(SwitchRecord record);
  void tell(const Result<void>& written);

  ports::Files& files_;
  std::string folder_;
  Log& log_;
  std::unique_ptr<ports::AppendFile> file_;
  std::deque<SwitchRecord> kept_;
  uint64_t next_ = 1;
  bool failing_ = false;
};

}  // namespace sluice::tunnel
