#include "drivers/os/environment.h"

#include <cstdlib>

namespace sluice::drivers {

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace sluice::drivers
