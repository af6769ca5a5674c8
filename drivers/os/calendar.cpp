#include "drivers/os/calendar.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

#include "firmware/base/check.h"

namespace sluice::drivers {

Date OsCalendar::now() const {
  timespec time = {};
  ENSURE(clock_gettime(CLOCK_REALTIME, &time) == 0);
  return Date::from_us(int64_t{time.tv_sec} * 1000000 + time.tv_nsec / 1000);
}

Result<void> OsCalendar::set(Date date) {
  timespec time = {};
  time.tv_sec = date.as_us() / 1000000;
  time.tv_nsec = date.as_us() % 1000000 * 1000;
  if (clock_settime(CLOCK_REALTIME, &time) == 0) return {};
  return Error{ErrorKind::refused, "calendar",
               std::string("cannot set the system's date: ") + std::strerror(errno) +
                   "; the service needs CAP_SYS_TIME"};
}

}  // namespace sluice::drivers
