#include "drivers/os/host_name.h"

#include <unistd.h>

#include <array>

namespace sluice::drivers {

std::string host_name() {
  std::array<char, 256> name{};  // HOST_NAME_MAX is 64; the last octet stays zero
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace sluice::drivers
