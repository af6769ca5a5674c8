// The part of NVML that is used. The library is found when the program runs and has no header in
// Debian, so its calls and structures are declared here, by NVIDIA's public description of the
// interface (NVML API reference, release 570).
// Units: bytes, mW, degrees Celsius, percent.
#pragma once

#include <cstddef>
#include <string>

namespace sluice::drivers {

struct NvmlDevice;  // the library's own

// What a call returns.
inline constexpr int kNvmlSuccess = 0;
inline constexpr int kNvmlUninitialized = 1;
inline constexpr int kNvmlNotSupported = 3;
inline constexpr int kNvmlNoPermission = 4;
inline constexpr int kNvmlInsufficientSize = 7;
inline constexpr int kNvmlDriverNotLoaded = 9;
inline constexpr int kNvmlTimeout = 10;
inline constexpr int kNvmlLibraryNotFound = 12;
inline constexpr int kNvmlFunctionNotFound = 13;
inline constexpr int kNvmlGpuIsLost = 15;
inline constexpr int kNvmlResetRequired = 16;
inline constexpr int kNvmlOperatingSystem = 17;
inline constexpr int kNvmlVersionMismatch = 18;
inline constexpr int kNvmlArgumentVersionMismatch = 25;

inline constexpr int kNvmlTemperatureGpu = 0;
inline constexpr size_t kNvmlUuidSize = 96;
inline constexpr size_t kNvmlNameSize = 96;
inline constexpr unsigned long long kNvmlNotAvailable = ~0ULL;  // of a process's memory

struct NvmlUtilization {
  unsigned gpu;  // share of the last 1/6 to 1 s in which a kernel ran
  unsigned memory;
};

struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;  // of newer drivers: and what the driver keeps for itself
};

struct NvmlMemoryV2 {
  unsigned version;  // kNvmlMemoryV2
  unsigned long long total;
  unsigned long long reserved;
  unsigned long long free;
  unsigned long long used;
};
inline constexpr unsigned kNvmlMemoryV2 = sizeof(NvmlMemoryV2) | 2U << 24U;

struct NvmlProcess {
  unsigned pid;
  unsigned long long used_memory;
  unsigned gpu_instance;
  unsigned compute_instance;
};

struct NvmlCalls {
  // Without one of these the library is too old.
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*handle)(unsigned, NvmlDevice**) = nullptr;
  int (*uuid)(NvmlDevice*, char*, unsigned) = nullptr;
  // Without one of these its value is not told.
  int (*model)(NvmlDevice*, char*, unsigned) = nullptr;
  int (*utilization)(NvmlDevice*, NvmlUtilization*) = nullptr;
  int (*memory)(NvmlDevice*, NvmlMemory*) = nullptr;
  int (*memory_v2)(NvmlDevice*, NvmlMemoryV2*) = nullptr;
  int (*power)(NvmlDevice*, unsigned*) = nullptr;
  int (*temperature)(NvmlDevice*, int, unsigned*) = nullptr;
  int (*processes)(NvmlDevice*, unsigned*, NvmlProcess*) = nullptr;
  int (*mig_mode)(NvmlDevice*, unsigned*, unsigned*) = nullptr;
};

// What the code means, for people: "driver not loaded (code 9)".
std::string nvml_code_text(int code);

}  // namespace sluice::drivers
