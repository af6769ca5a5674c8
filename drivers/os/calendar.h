// The date of the system clock.
#pragma once

#include "firmware/ports/clock.h"

namespace sluice::drivers {

class OsCalendar final : public ports::Calendar, public ports::DateSetter {
 public:
  Date now() const override;
  Result<void> set(Date date) override;
};

}  // namespace sluice::drivers
