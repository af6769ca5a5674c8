// The log on standard error, one line per event:
//   2026-11-22T01:02:03.456Z info sense: text
// or, where standard error is the journal, with its priority (sd-daemon(3)) in place of the date:
//   <6>info sense: text
// Thread: any. Line breaks and control characters in a text are escaped: an event is one line.
#pragma once

#include <iosfwd>
#include <memory>

#include "firmware/base/log.h"

namespace spdlog {
class logger;
}

namespace sluice::drivers {

enum class LogStyle { dated, journal };

inline constexpr size_t kLogLineMax = 8192;  // bytes of a text; what is beyond is cut, with "..."

// Journal, if the variable JOURNAL_STREAM (systemd.exec(5)) names the device and inode of
// standard error. `journal_stream` is its value, null if it is not set.
LogStyle style_of_stderr(const char* journal_stream);

class SpdLog : public Log {
 public:
  SpdLog(LogLevel level, LogStyle style);                     // to standard error
  SpdLog(LogLevel level, LogStyle style, std::ostream& out);  // `out` outlives the log
  ~SpdLog() override;

  void set_level(LogLevel level);  // from the next line on
  bool enabled(LogLevel level) const override;
  void write(LogLevel level, std::string_view where, std::string_view line) override;

 private:
  LogStyle style_;
  std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace sluice::drivers
