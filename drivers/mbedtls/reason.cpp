#include "drivers/mbedtls/reason.h"

#include <fmt/format.h>
#include <mbedtls/error.h>

#include <array>

namespace sluice::drivers {

std::string reason(int code) {
  std::array<char, 160> text{};
  mbedtls_strerror(code, text.data(), text.size());
  return fmt::format("{} (-0x{:04x})", text.data(), static_cast<unsigned>(-code));
}

}  // namespace sluice::drivers
