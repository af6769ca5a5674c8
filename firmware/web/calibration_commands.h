// What a person may ask of the calibration of a node (sense/calibration.h).
#pragma once

#include <string>
#include <string_view>

#include "firmware/base/result.h"

namespace sluice::web {

struct CalibrationWish {
  std::string node;
  std::string model;          // as clients say it; empty: the first that the node serves
  bool quick = false;         // smaller and sooner
  bool now = false;           // outside the window too
  int concurrency_max = 0;    // 0: the method's
  int minutes_max = 0;        // 0: the method's
  int64_t prompt_tokens = 0;  // of each request; 0: the method's
  int64_t output_tokens = 0;
};

class CalibrationCommands {
 public:
  virtual ~CalibrationCommands() = default;
  // Errors: refused = it cannot be measured; busy = not now, with why.
  virtual Result<void> calibrate(const CalibrationWish& wish, std::string_view author) = 0;
  virtual Result<void> stop_calibration(std::string_view author) = 0;
  // JSON: state, what it does, and the card as far as it is known. Who asks keeps it going: one
  // that nobody asks about any more stops by itself.
  virtual std::string calibration() = 0;
};

}  // namespace sluice::web
