#include "drivers/accelerators/nvml/nvml_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace sluice::drivers {

using ports::AcceleratorReading;
using ports::AcceleratorValue;

namespace {

constexpr double kTemperatureMax = 200;  // degrees Celsius; beyond it the sensor is broken
constexpr double kPowerMax = 100000;     // W

AcceleratorValue absent(std::string why) { return {std::nullopt, std::move(why)}; }

AcceleratorValue lacking(const char* call) {
  return absent(fmt::format("the library has no {}", call));
}

AcceleratorValue failed(const char* call, int code) {
  return absent(fmt::format("{}: {}", call, nvml_code_text(code)));
}

// Asks one device; remembers the first code that says that it is lost.
class Asker {
 public:
  Asker(const NvmlCalls& calls, NvmlDevice* device) : calls_(calls), device_(device) {}

  AcceleratorValue busy();
  void memory(AcceleratorReading& reading);
  AcceleratorValue power();
  AcceleratorValue temperature();
  int lost() const { return lost_; }

 private:
  int noted(int code) {
    if (lost_ == kNvmlSuccess && (is_nvml_device_lost(code) || is_nvml_session_lost(code))) {
      lost_ = code;
    }
    return code;
  }
  bool is_split();
  AcceleratorValue memory_of_processes(const std::string& why);

  const NvmlCalls& calls_;
  NvmlDevice* const device_;
  int lost_ = kNvmlSuccess;
};

bool Asker::is_split() {
  unsigned current = 0;
  unsigned pending = 0;
  return calls_.mig_mode != nullptr &&
         noted(calls_.mig_mode(device_, &current, &pending)) == kNvmlSuccess && current == 1;
}

AcceleratorValue Asker::busy() {
  constexpr const char* kCall = "nvmlDeviceGetUtilizationRates";
  if (calls_.utilization == nullptr) return lacking(kCall);
  NvmlUtilization rates{};
  const int code = noted(calls_.utilization(device_, &rates));
  if (code == kNvmlNotSupported && is_split()) {
    return absent("not told while the device is split into MIG instances");
  }
  if (code != kNvmlSuccess) return failed(kCall, code);
  if (rates.gpu > 100) return absent(fmt::format("{} told {} %", kCall, rates.gpu));
  return {rates.gpu / 100.0, kCall};
}

void Asker::memory(AcceleratorReading& reading) {
  const auto told = [&reading](const char* call, double used, double total) {
    reading.memory_used_bytes = {used, call};
    reading.memory_total_bytes = {total, call};
  };
  if (calls_.memory_v2 != nullptr) {
    NvmlMemoryV2 memory{kNvmlMemoryV2, 0, 0, 0, 0};
    if (noted(calls_.memory_v2(device_, &memory)) == kNvmlSuccess && memory.used <= memory.total) {
      return told("nvmlDeviceGetMemoryInfo_v2", static_cast<double>(memory.used),
                  static_cast<double>(memory.total));
    }
  }
  constexpr const char* kCall = "nvmlDeviceGetMemoryInfo";
  if (calls_.memory == nullptr) {
    reading.memory_used_bytes = reading.memory_total_bytes = lacking(kCall);
    return;
  }
  NvmlMemory memory{};
  const int code = noted(calls_.memory(device_, &memory));
  if (code == kNvmlSuccess && memory.used <= memory.total) {
    return told(kCall, static_cast<double>(memory.used), static_cast<double>(memory.total));
  }
  reading.memory_total_bytes = code == kNvmlSuccess
                                   ? absent(fmt::format("{} told more used than there is", kCall))
                                   : failed(kCall, code);
  reading.memory_used_bytes = code == kNvmlNotSupported
                                  ? memory_of_processes(reading.memory_total_bytes.source)
                                  : reading.memory_total_bytes;
}

// For devices that share the memory of the processor: they tell it by process only.
AcceleratorValue Asker::memory_of_processes(const std::string& why) {
  if (calls_.processes == nullptr) return absent(why);
  std::vector<NvmlProcess> list;
  unsigned room = 0;
  int code = noted(calls_.processes(device_, &room, nullptr));
  for (int i = 0; code == kNvmlInsufficientSize && i < kNvmlProcessTriesMax; ++i) {
    if (room > kNvmlProcessesMax) break;
    room = std::min(kNvmlProcessesMax, room + room / 4 + 1);  // some may come meanwhile
    list.assign(room, {});
    code = noted(calls_.processes(device_, &room, list.data()));
  }
  if (code == kNvmlNotSupported) return absent(why);
  if (code != kNvmlSuccess) return failed("nvmlDeviceGetComputeRunningProcesses_v3", code);
  double used = 0;
  for (size_t i = 0; i < std::min<size_t>(room, list.size()); ++i) {
    if (list[i].used_memory == kNvmlNotAvailable) return absent(why);
    used += static_cast<double>(list[i].used_memory);
  }
  return {used, "nvmlDeviceGetComputeRunningProcesses_v3", true};
}

AcceleratorValue Asker::power() {
  constexpr const char* kCall = "nvmlDeviceGetPowerUsage";
  if (calls_.power == nullptr) return lacking(kCall);
  unsigned milliwatts = 0;
  const int code = noted(calls_.power(device_, &milliwatts));
  if (code != kNvmlSuccess) return failed(kCall, code);
  if (milliwatts / 1000.0 > kPowerMax)
    return absent(fmt::format("{} told {} mW", kCall, milliwatts));
  return {milliwatts / 1000.0, kCall};
}

AcceleratorValue Asker::temperature() {
  constexpr const char* kCall = "nvmlDeviceGetTemperature";
  if (calls_.temperature == nullptr) return lacking(kCall);
  unsigned celsius = 0;
  const int code = noted(calls_.temperature(device_, kNvmlTemperatureGpu, &celsius));
  if (code != kNvmlSuccess) return failed(kCall, code);
  if (celsius > kTemperatureMax) return absent(fmt::format("{} told {} C", kCall, celsius));
  return {static_cast<double>(celsius), kCall};
}

}  // namespace

bool is_nvml_device_lost(int code) { return code == kNvmlGpuIsLost || code == kNvmlResetRequired; }

bool is_nvml_session_lost(int code) {
  return code == kNvmlUninitialized || code == kNvmlDriverNotLoaded || code == kNvmlVersionMismatch;
}

int read_nvml_device(const NvmlCalls& calls, NvmlDevice* device, AcceleratorReading& reading) {
  Asker asker(calls, device);
  reading.busy = asker.busy();
  asker.memory(reading);
  reading.power_w = asker.power();
  reading.temperature_c = asker.temperature();
  return asker.lost();
}

}  // namespace sluice::drivers
