#include "drivers/os/environment.h"

#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>

namespace sluice::drivers {

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::optional<std::string> take_from_environment(const std::string& name) {
  std::optional<std::string> value = environment(name);
  ::unsetenv(name.c_str());
  return value;
}

std::string own_program(const std::string& name) {
  if (!name.empty() && name.front() == '/') return name;
  std::array<char, PATH_MAX> path = {};
  if (name.find('/') != std::string::npos && ::getcwd(path.data(), path.size()) != nullptr) {
    return std::string(path.data()) + "/" + name;
  }
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<size_t>(size)) : name;
}

}  // namespace sluice::drivers
