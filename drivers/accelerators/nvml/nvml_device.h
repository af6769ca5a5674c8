// One device, asked for each of its values in turn.
#pragma once

#include "drivers/accelerators/nvml/nvml_calls.h"
#include "firmware/ports/accelerators.h"

namespace sluice::drivers {

inline constexpr unsigned kNvmlProcessesMax = 4096;  // of one device; with more their sum is absent
inline constexpr int kNvmlProcessTriesMax = 4;       // the list may grow between two calls

// Codes that say that the device is gone, or that no device can be asked any more.
bool is_nvml_device_lost(int code);
bool is_nvml_session_lost(int code);

// Fills in everything but the identity. Returns the first code that says that it is lost, or
// kNvmlSuccess: what is not supported is not told, and is no trouble.
int read_nvml_device(const NvmlCalls& calls, NvmlDevice* device,
                     ports::AcceleratorReading& reading);

}  // namespace sluice::drivers
