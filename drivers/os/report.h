// The one line that a process started by another of its kind tells that one.
#pragma once

#include <string_view>

#include "drivers/os/descriptor.h"

namespace sluice::drivers {

class Report {
 public:
  explicit Report(int descriptor);  // taken over; negative: nobody listens
  // Line breaks inside become blanks; at most `kReportMax` of ports/successor.h. Once.
  void say(std::string_view line);

 private:
  Descriptor pipe_;
};

// Descriptors that were inherited and are not wanted.
void close_descriptor(int descriptor);

}  // namespace sluice::drivers
