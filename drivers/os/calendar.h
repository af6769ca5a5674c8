// The date of the system clock.
#pragma once

#include "firmware/ports/clock.h"

namespace sluice::drivers {

class OsCalendar final : public ports::Calendar {
 public:
  Date now() const override;
};

}  // namespace sluice::drivers
