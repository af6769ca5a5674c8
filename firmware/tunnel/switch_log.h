// The switches of this site: the last ones in memory, all in a file of JSON lines that is bounded
// by putting the old one aside.
// Thread: loop.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "firmware/base/log.h"
#include "firmware/base/units.h"
#include "firmware/ports/files.h"
#include "firmware/tunnel/switch_record.h"

namespace sluice::tunnel {

class SwitchLog {
 public:
  static constexpr size_t kKept = 256;           // in memory
  static constexpr Bytes kFileMax{1024 * 1024};  // then the file is put aside as NAME.1
  static constexpr std::string_view kFile = "switches.jsonl";

  // `folder` is made when needed. The references must outlive it.
  SwitchLog(ports::Files& files, std::string folder, Log& log);

  // Reads the last ones back. Errors are said and leave it in memory only.
  void open();
  // Gives the record its number. A file that cannot be written is said once.
  const SwitchRecord& add(SwitchRecord record);
  const std::deque<SwitchRecord>& kept() const { return kept_; }  // oldest first
  uint64_t count() const { return next_ - 1; }

 private:
  void write(const SwitchRecord& record);
  void read_back(const std::string& path);

  ports::Files& files_;
  std::string folder_;
  Log& log_;
  std::unique_ptr<ports::AppendFile> file_;
  std::deque<SwitchRecord> kept_;
  uint64_t next_ = 1;
  bool failing_ = false;
};

}  // namespace sluice::tunnel
