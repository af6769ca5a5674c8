// Time as the world tells it. Elapsed time and the date are two things: only Clock decides waits.
#pragma once

#include "firmware/base/result.h"
#include "firmware/base/time.h"

namespace sluice::ports {

class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since an arbitrary origin; never steps back; frozen during one loop turn.
  virtual Instant now() const = 0;
};

class Calendar {
 public:
  virtual ~Calendar() = default;
  // The date as the system believes it; may step in either direction.
  virtual Date now() const = 0;
};

class DateSetter {
 public:
  virtual ~DateSetter() = default;
  // Steps the system's date. Errors: refused (no permission).
  virtual Result<void> set(Date date) = 0;
};

}  // namespace sluice::ports
