#include "drivers/accelerators/nvml/nvml_calls.h"

#include <fmt/format.h>

namespace sluice::drivers {

namespace {

const char* meaning(int code) {
  switch (code) {
    case kNvmlUninitialized:
      return "the library was shut down";
    case kNvmlNotSupported:
      return "not supported by this device";
    case kNvmlNoPermission:
      return "no permission";
    case kNvmlInsufficientSize:
      return "more than is asked for";
    case kNvmlDriverNotLoaded:
      return "the driver is not loaded";
    case kNvmlTimeout:
      return "the driver did not answer in time";
    case kNvmlLibraryNotFound:
      return "a part of the driver's libraries is missing";
    case kNvmlFunctionNotFound:
      return "the driver is older than the library";
    case kNvmlGpuIsLost:
      return "the device has fallen off the bus";
    case kNvmlResetRequired:
      return "the device needs a reset";
    case kNvmlOperatingSystem:
      return "the system or the container forbids the device";
    case kNvmlVersionMismatch:
      return "driver and library are of different versions";
    default:
      return "the driver reports an error";
  }
}

}  // namespace

std::string nvml_code_text(int code) { return fmt::format("{} (code {})", meaning(code), code); }

}  // namespace sluice::drivers
