// What a settings file may look like at most. Beyond it the file is refused, with the line.
#pragma once

#include <cstddef>

namespace sluice::drivers {

inline constexpr size_t kConfigBytesMax = 1024 * 1024;
inline constexpr int kConfigDepthMax = 32;  // lists and maps inside each other

}  // namespace sluice::drivers
