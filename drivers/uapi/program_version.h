// Which wireguard-go this is: those before 2023 want each packet of the TUN behind a prefix of four
// bytes, later ones want none. The program does not ask the device, and reads garbage if it is
// given the other; so nothing is guessed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/uv/loop.h"
#include "drivers/uv/process.h"
#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/clock.h"

namespace sluice::drivers {

inline constexpr Duration kVersionTimeMax = Duration::ms(500);
inline constexpr Duration kVersionRest = Duration::seconds(1);  // after it said nothing

// In bytes. `text`: what --version writes, "wireguard-go v0.0.20220316..."; where no date is in it
// it is a later one. Nothing: this is not wireguard-go, or not all that it says.
std::optional<int> packet_prefix_of(std::string_view text);

class ProgramVersion {
 public:
  ProgramVersion(UvLoop& loop, const ports::Clock& clock) : loop_(loop), clock_(clock) {}

  // Bytes before each packet that the program at this path reads from a TUN. A file that is not the
  // one that was asked last is run with --version, and waited for: a few milliseconds, and up to
  // kVersionTimeMax on a machine that is busy.
  // Errors: busy (it said nothing in time: again later), unsupported (it is something else).
  Result<int> packet_prefix(const std::string& program);

 private:
  struct File {
    uint64_t device = 0;
    uint64_t number = 0;
    int64_t changed_s = 0;
    int64_t changed_ns = 0;
    int64_t size = 0;
    bool operator==(const File&) const = default;
  };
  std::string ask(const std::string& program);

  UvLoop& loop_;
  const ports::Clock& clock_;
  std::optional<File> known_;
  int prefix_ = 0;  // of known_
  std::optional<Instant> silent_at_;
  UvProcess::Ending ending_;
};

}  // namespace sluice::drivers
