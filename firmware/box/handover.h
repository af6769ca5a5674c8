// What a process hands to its successor: sockets that listen and the lock of the state folder, as
// descriptors that the new process inherits, and one on which it reports. It learns of them from
// the environment variable kHandoverVariable, a text of at most kHandoverMax bytes:
//
//   sluice-handover 1
//   report 3
//   lock 4
//   socket 5 api 127.0.0.1:8080      entrance and address as the old settings named them
//
// Report: "ready", or "failed: why", and a line break. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::box {

inline constexpr const char* kHandoverVariable = "SLUICE_HANDOVER";
inline constexpr size_t kHandoverMax = 4096;
inline constexpr size_t kHandedSocketsMax = 16;
inline constexpr int kHandedDescriptorMax = 1023;

inline constexpr std::string_view kReportReady = "ready";
inline constexpr std::string_view kReportFailed = "failed: ";

struct HandedSocket {
  std::string entrance;
  std::string asked;  // the address as the settings named it; empty: whatever they say
  int descriptor = -1;
};

struct Handover {
  int report = -1;  // none: nobody waits for a report
  int lock = -1;
  std::vector<HandedSocket> sockets;
};

std::string write_handover(const Handover& handover);
Result<Handover> read_handover(std::string_view text);  // errors: broken

// The socket for an entrance at `asked`, and takes it out: that of the same entrance and address,
// else one of the same address under another name (but not where port 0 made them alike).
std::optional<int> take_socket(Handover& handover, std::string_view entrance,
                               std::string_view asked);

// What a report says. Error: gone, with why, as the new process told it.
Result<void> read_report(std::string_view line);

}  // namespace sluice::box
