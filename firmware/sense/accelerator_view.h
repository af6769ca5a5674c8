// What the page and the metrics may read of the accelerators: a report, no access.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/sense/load.h"

namespace sluice::sense {

// Of one source: an exporter, or a library or file system of this machine.
enum class AcceleratorSourceState {
  waiting,       // its first answer is not there yet
  answers,       // at the last look
  silent,        // asked, and no answer
  unrecognised,  // it answers, and not as any exporter that is known
  no_device,
  no_library,
  library_too_old,
  driver_not_running,
  not_supported,
  not_allowed,
  broken,
};
const char* to_text(AcceleratorSourceState state);

struct AcceleratorSourceReport {
  std::string name;    // of an exporter, as in the settings; "host nvml", "host sysfs"
  std::string driver;  // a driver file, or "nvml", "sysfs"; empty: not yet found by fingerprint
  AcceleratorSourceState state = AcceleratorSourceState::waiting;
  std::string why;              // unless it answers
  std::optional<Duration> age;  // of the last answer
  std::vector<AcceleratorLoad> accelerators;
};

class AcceleratorView {
 public:
  virtual ~AcceleratorView() = default;
  virtual std::vector<AcceleratorSourceReport> accelerators(Instant now) const = 0;
};

}  // namespace sluice::sense
