#include "drivers/os/calendar.h"

#include <ctime>

#include "firmware/base/check.h"

namespace sluice::drivers {

Date OsCalendar::now() const {
  timespec time = {};
  ENSURE(clock_gettime(CLOCK_REALTIME, &time) == 0);
  return Date::from_us(int64_t{time.tv_sec} * 1000000 + time.tv_nsec / 1000);
}

}  // namespace sluice::drivers
