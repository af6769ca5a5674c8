// What a later run of the daemon must know of a data plane: FOLDER/INTERFACE.pid, one line,
// "PID START PREFIX". START is the process' start in clock ticks since boot (proc(5), stat, field
// 22): a number that another process got later has another one. PREFIX: bytes before each packet of
// the TUN, which it cannot be asked for (TUNGETIFF says something else with that bit). "0 0 0": the
// interface is ours, and nothing carries it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/result.h"

namespace sluice::drivers {

struct PlaneRecord {
  pid_t pid = 0;
  uint64_t start = 0;
  int packet_prefix = 0;
  bool operator==(const PlaneRecord&) const = default;
};

std::optional<PlaneRecord> parse_plane_record(std::string_view text);
std::optional<PlaneRecord> read_plane_record(const std::string& path);
Result<void> write_plane_record(const std::string& path, const PlaneRecord& record);

struct ProcessIdentity {
  std::string name;  // the kernel's: of the program's file, at most 15 characters
  uint64_t start = 0;
};
std::optional<ProcessIdentity> parse_process_stat(std::string_view stat);
std::optional<ProcessIdentity> identity_of(pid_t pid);  // nothing: no such process

}  // namespace sluice::drivers
