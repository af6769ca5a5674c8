#include "drivers/accelerators/nvml/nvml_accelerators.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "drivers/accelerators/nvml/nvml_device.h"

namespace sluice::drivers {

using ports::AcceleratorLook;
using ports::AcceleratorReading;
using ports::AcceleratorState;

namespace {

AcceleratorState state_of(int code) {
  switch (code) {
    case kNvmlNotSupported:
      return AcceleratorState::not_supported;
    case kNvmlNoPermission:
    case kNvmlOperatingSystem:
      return AcceleratorState::not_allowed;
    case kNvmlLibraryNotFound:
      return AcceleratorState::no_library;
    case kNvmlUninitialized:
    case kNvmlDriverNotLoaded:
    case kNvmlTimeout:
    case kNvmlFunctionNotFound:
    case kNvmlGpuIsLost:
    case kNvmlResetRequired:
    case kNvmlVersionMismatch:
      return AcceleratorState::driver_not_running;
    default:
      return AcceleratorState::broken;
  }
}

const char* advice(int code) {
  switch (code) {
    case kNvmlDriverNotLoaded:
    case kNvmlUninitialized:
      return "; load it (modprobe nvidia) and let the service open /dev/nvidia*, or set "
             "accelerators.host to off";
    case kNvmlVersionMismatch:
    case kNvmlFunctionNotFound:
      return "; restart the machine after an update of the driver";
    case kNvmlNoPermission:
    case kNvmlOperatingSystem:
      return "; let the service open /dev/nvidia*";
    default:
      return "";
  }
}

template <size_t kSize>
std::string text_of(const std::array<char, kSize>& text) {
  return {text.data(), ::strnlen(text.data(), kSize)};
}

}  // namespace

NvmlAccelerators::NvmlAccelerators(std::string library_path) : path_(std::move(library_path)) {}

NvmlAccelerators::~NvmlAccelerators() { close(); }

AcceleratorLook NvmlAccelerators::open() {
  Result<std::unique_ptr<NvmlLibrary>> loaded = NvmlLibrary::load(path_);
  if (!loaded) {
    const bool old = loaded.error().kind == ErrorKind::unsupported;
    const auto state = old ? AcceleratorState::library_too_old : AcceleratorState::no_library;
    return {state, loaded.error().text, {}};
  }
  if (const int code = (*loaded)->calls().init(); code != kNvmlSuccess) {
    return {
        state_of(code), fmt::format("nvmlInit_v2: {}{}", nvml_code_text(code), advice(code)), {}};
  }
  library_ = std::move(*loaded);
  looks_with_loss_ = 0;
  return {AcceleratorState::answers, {}, {}};
}

void NvmlAccelerators::close() {
  if (library_) library_->calls().shutdown();
  library_.reset();
}

AcceleratorLook NvmlAccelerators::give_up(const char* call, int code) {
  close();
  return {state_of(code), fmt::format("{}: {}{}", call, nvml_code_text(code), advice(code)), {}};
}

AcceleratorLook NvmlAccelerators::look() {
  if (!library_) {
    AcceleratorLook opened = open();
    if (!library_) return opened;
  }
  unsigned count = 0;
  if (const int code = library_->calls().count(&count); code != kNvmlSuccess) {
    return give_up("nvmlDeviceGetCount_v2", code);
  }
  AcceleratorLook look{AcceleratorState::answers, {}, {}};
  bool some_are_lost = false;
  for (unsigned i = 0; i < std::min<unsigned>(count, ports::kAcceleratorsMax); ++i) {
    AcceleratorReading reading;
    const int code = read(i, reading);
    if (is_nvml_session_lost(code)) return give_up("NVML", code);
    some_are_lost = some_are_lost || reading.health.value == 0.0;
    look.devices.push_back(std::move(reading));
  }
  if (count == 0) look = {AcceleratorState::no_device, "the driver runs and has no device", {}};
  begin_anew_if_due(some_are_lost);
  return look;
}

// The code of a device that cannot be asked; what can be said of it is in the reading all the same.
int NvmlAccelerators::read(unsigned index, AcceleratorReading& reading) {
  reading.vendor = "nvidia";
  NvmlDevice* device = nullptr;
  int code = library_->calls().handle(index, &device);
  if (code == kNvmlSuccess) code = identify(index, device, reading);
  if (code == kNvmlSuccess) code = read_nvml_device(library_->calls(), device, reading);
  if (code == kNvmlSuccess) {
    reading.health = {1.0, "nvml: it answers", true};
    return code;
  }
  const auto known = known_.find(index);
  reading.id = known == known_.end() ? fmt::format("nvidia-{}", index) : known->second.id;
  reading.name = known == known_.end() ? "" : known->second.name;
  reading.trouble = nvml_code_text(code);
  const bool lost = is_nvml_device_lost(code);
  for (ports::AcceleratorValue* value :
       {&reading.busy, &reading.memory_used_bytes, &reading.memory_total_bytes, &reading.power_w,
        &reading.temperature_c}) {
    *value = {std::nullopt, reading.trouble};
  }
  reading.health = {std::nullopt, reading.trouble};
  if (lost) reading.health = {0.0, "nvml", false};
  return code;
}

int NvmlAccelerators::identify(unsigned index, NvmlDevice* device, AcceleratorReading& reading) {
  std::array<char, kNvmlUuidSize> uuid{};
  const int code = library_->calls().uuid(device, uuid.data(), uuid.size());
  reading.id = code == kNvmlSuccess ? text_of(uuid) : fmt::format("nvidia-{}", index);
  std::array<char, kNvmlNameSize> name{};
  auto* const model = library_->calls().model;
  if (model != nullptr && model(device, name.data(), name.size()) == kNvmlSuccess) {
    reading.name = text_of(name);
  }
  if (is_nvml_device_lost(code) || is_nvml_session_lost(code)) return code;
  known_[index] = {reading.id, reading.name};
  return kNvmlSuccess;
}

void NvmlAccelerators::begin_anew_if_due(bool some_are_lost) {
  if (!some_are_lost) {
    restart_gap_ = 1;
    return;
  }
  if (++looks_with_loss_ < restart_gap_) return;
  restart_gap_ = std::min(kNvmlRestartGapMax, 2 * restart_gap_);
  close();
}

}  // namespace sluice::drivers
