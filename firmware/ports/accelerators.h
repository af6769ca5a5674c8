// The accelerators of this machine, as one library or one file system tells them.
// Units: shares from 0 to 1, bytes, W, degrees Celsius.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace sluice::ports {

inline constexpr size_t kAcceleratorsMax = 64;  // of one source; what is beyond is not told

struct AcceleratorValue {
  std::optional<double> value;  // nothing is not 0: it is not told
  std::string source;           // who told it; of nothing: why, in words
  bool reckoned = false;        // from several values or from two looks
};

struct AcceleratorReading {
  std::string id;      // stays the same over restarts: UUID, serial number or PCI address
  std::string name;    // model; may be empty
  std::string vendor;  // "nvidia", "amd", "intel"
  AcceleratorValue busy;
  AcceleratorValue memory_used_bytes;
  AcceleratorValue memory_total_bytes;
  AcceleratorValue power_w;
  AcceleratorValue temperature_c;
  AcceleratorValue health;  // 1 well, 0 not; then `trouble` says what happened
  std::string trouble;
};

enum class AcceleratorState {
  answers,             // each device tells for itself what it can
  no_device,           // none that this source knows
  no_library,          // not there, or it cannot be loaded
  library_too_old,     // `words` name what it lacks
  driver_not_running,  // not loaded, gone, or of another version than the library
  not_supported,
  not_allowed,  // to this program or in this container
  broken,       // it answers what makes no sense
};

struct AcceleratorLook {
  AcceleratorState state = AcceleratorState::no_device;
  std::string words;  // unless it answers: what is so, and what to do about it
  std::vector<AcceleratorReading> devices;
};

class Accelerators {
 public:
  virtual ~Accelerators() = default;
  virtual const char* name() const = 0;  // "nvml"
  // Thread: a worker (work.h), for it blocks, and for long when a driver is sick. One look at a
  // time; the next one may be made on another thread.
  virtual AcceleratorLook look() = 0;
};

}  // namespace sluice::ports
