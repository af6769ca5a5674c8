#include "drivers/accelerators/nvml/nvml_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace sluice::drivers {

namespace {

template <class Call>
bool find(void* library, const char* symbol, Call& call) {
  call = reinterpret_cast<Call>(::dlsym(library, symbol));
  return call != nullptr;
}

}  // namespace

Result<std::unique_ptr<NvmlLibrary>> NvmlLibrary::load(const std::string& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return Error{ErrorKind::gone, "nvml",
                 fmt::format("{} cannot be loaded: {}", path, why == nullptr ? "no reason" : why)};
  }
  std::unique_ptr<NvmlLibrary> library(new NvmlLibrary(handle));
  if (const char* lacks = library->find_calls(); lacks != nullptr) {
    return Error{ErrorKind::unsupported, "nvml",
                 fmt::format("{} has no {}: it is too old; install a newer driver", path, lacks)};
  }
  return library;
}

NvmlLibrary::~NvmlLibrary() { ::dlclose(handle_); }

const char* NvmlLibrary::find_calls() {
  if (!find(handle_, "nvmlInit_v2", calls_.init)) return "nvmlInit_v2";
  if (!find(handle_, "nvmlShutdown", calls_.shutdown)) return "nvmlShutdown";
  if (!find(handle_, "nvmlDeviceGetCount_v2", calls_.count)) return "nvmlDeviceGetCount_v2";
  if (!find(handle_, "nvmlDeviceGetHandleByIndex_v2", calls_.handle)) {
    return "nvmlDeviceGetHandleByIndex_v2";
  }
  if (!find(handle_, "nvmlDeviceGetUUID", calls_.uuid)) return "nvmlDeviceGetUUID";
  find(handle_, "nvmlDeviceGetName", calls_.model);
  find(handle_, "nvmlDeviceGetUtilizationRates", calls_.utilization);
  find(handle_, "nvmlDeviceGetMemoryInfo", calls_.memory);
  find(handle_, "nvmlDeviceGetMemoryInfo_v2", calls_.memory_v2);
  find(handle_, "nvmlDeviceGetPowerUsage", calls_.power);
  find(handle_, "nvmlDeviceGetTemperature", calls_.temperature);
  find(handle_, "nvmlDeviceGetComputeRunningProcesses_v3", calls_.processes);
  find(handle_, "nvmlDeviceGetMigMode", calls_.mig_mode);
  return nullptr;
}

}  // namespace sluice::drivers
