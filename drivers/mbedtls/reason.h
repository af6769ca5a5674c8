// What an error code of the library means, in words.
#pragma once

#include <string>

namespace sluice::drivers {

std::string reason(int code);

}  // namespace sluice::drivers
