// What an engine truly has, from moment to moment: a line "microseconds running waiting" each time
// it changes, for whoever compares it with what is believed elsewhere. Microseconds are those of
// the machine's monotonic clock (CLOCK_MONOTONIC).
#pragma once

#include <cstdio>
#include <optional>
#include <string>

#include "tests/testbed/micros.h"

namespace sluice::testbed {

class TruthLog {
 public:
  TruthLog() = default;
  ~TruthLog();
  TruthLog(const TruthLog&) = delete;
  TruthLog& operator=(const TruthLog&) = delete;

  // Begins the file anew; an error text when it cannot be opened. Without it nothing is written.
  std::optional<std::string> open(const std::string& path);
  void note(Micros now, int running, int waiting);

 private:
  std::FILE* file_ = nullptr;  // written out line by line
  int running_ = -1;
  int waiting_ = -1;
};

}  // namespace sluice::testbed
