// How one event looks.
#pragma once

#include <string>
#include <string_view>

#include "firmware/base/log.h"

namespace sluice::drivers {

std::string_view to_text(LogLevel level);
int journal_priority(LogLevel level);  // syslog(3): 7 debug, 6 info, 4 warning, 3 error

// Control characters (C0 and DEL) become \n, \r, \t or \xNN; longer than `size_max` is cut.
std::string one_line(std::string_view text, size_t size_max);

}  // namespace sluice::drivers
