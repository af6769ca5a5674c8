// A stand-in for NVIDIA's management library, with the same symbols: for tests of the code that
// loads it. It has no device. The file that the variable NVML_STAND_IN_FILE names holds one word
// that says how it behaves; it is read anew at each call, so that a test can change its mind:
//
//   two        (also without a file) two devices that tell everything
//   mig        the first one is split: its utilisation is not supported
//   mute       nothing but the identity is supported
//   unified    memory is told by process only, and the list grows between two calls
//   growing    the same, and the list is never as short as was told
//   nonsense   figures that cannot be
//   none       no device
//   lost       the second device falls off the bus, and stays off until the next nvmlInit_v2
//   gone       the driver is unloaded under our feet
//   unloaded mismatch forbidden   nvmlInit_v2 fails so
//   hang       calls do not return until the word is another one
//
// Built also without some symbols: see CMakeLists.txt.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kSuccess = 0;
constexpr int kUninitialized = 1;
constexpr int kInvalid = 2;
constexpr int kUnsupported = 3;
constexpr int kNoPermission = 4;
constexpr int kTooSmall = 7;
constexpr int kNotLoaded = 9;
constexpr int kLost = 15;
constexpr int kMismatch = 18;
constexpr int kWrongVersion = 25;

constexpr unsigned long long kGiB = 1ULL << 30;

struct Device {
  const char* uuid;
  unsigned gpu_percent;
  unsigned long long used;
  unsigned milliwatts;
  unsigned celsius;
  bool lost;
};

// The interface has no object to hang this on.
Device devices[2] = {
    {"GPU-5e0b7c1d-0000-4a11-9d11-000000000001", 97, 72 * kGiB, 598412, 61, false},
    {"GPU-5e0b7c1d-0000-4a11-9d11-000000000002", 0, 0, 71902, 33, false},
};
bool initialised = false;
unsigned processes_now = 3;

void read_word(char (&word)[32]) {
  std::strcpy(word, "two");
  const char* path = std::getenv("NVML_STAND_IN_FILE");
  FILE* file = path == nullptr ? nullptr : std::fopen(path, "r");
  if (file == nullptr) return;
  if (std::fscanf(file, "%31s", word) != 1) std::strcpy(word, "two");
  std::fclose(file);
}

bool is(const char* wanted) {
  char word[32];
  read_word(word);
  while (std::strcmp(word, "hang") == 0) {
    ::usleep(5000);
    read_word(word);
  }
  return std::strcmp(word, wanted) == 0;
}

int may_ask(const Device* device) {
  if (!initialised) return kUninitialized;
  if (is("gone")) return kNotLoaded;
  if (device == nullptr) return kInvalid;
  if (is("lost")) devices[1].lost = true;
  return device->lost ? kLost : kSuccess;
}

int may_tell(const Device* device) {
  const int code = may_ask(device);
  return code == kSuccess && is("mute") ? kUnsupported : code;
}

int copy(const char* text, char* to, unsigned length) {
  if (std::strlen(text) + 1 > length) return kTooSmall;
  std::strcpy(to, text);
  return kSuccess;
}

bool tells_by_process() { return is("unified") || is("growing"); }

}  // namespace

extern "C" {

struct Utilization {
  unsigned gpu, memory;
};
struct Memory {
  unsigned long long total, free, used;
};
struct MemoryV2 {
  unsigned version;
  unsigned long long total, reserved, free, used;
};
struct Process {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
};

int nvmlInit_v2() {
  if (is("unloaded") || is("gone")) return kNotLoaded;
  if (is("mismatch")) return kMismatch;
  if (is("forbidden")) return kNoPermission;
  for (Device& device : devices) device.lost = false;
  initialised = true;
  return kSuccess;
}

int nvmlShutdown() {
  if (!initialised) return kUninitialized;
  initialised = false;
  return kSuccess;
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  if (!initialised) return kUninitialized;
  if (is("gone")) return kNotLoaded;
  *count = is("none") ? 0 : 2;
  return kSuccess;
}

#ifndef NVML_STAND_IN_OLD
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device** device) {
  if (!initialised) return kUninitialized;
  if (index >= 2) return kInvalid;
  *device = &devices[index];
  return may_ask(*device);
}
#endif

int nvmlDeviceGetUUID(Device* device, char* uuid, unsigned length) {
  const int code = may_ask(device);
  return code == kSuccess ? copy(device->uuid, uuid, length) : code;
}

int nvmlDeviceGetName(Device* device, char* name, unsigned length) {
  const int code = may_ask(device);
  return code == kSuccess ? copy("NVIDIA H100 80GB HBM3", name, length) : code;
}

int nvmlDeviceGetUtilizationRates(Device* device, Utilization* rates) {
  const int code = may_tell(device);
  if (code != kSuccess) return code;
  if (is("mig") && device == devices) return kUnsupported;
  *rates = {is("nonsense") ? 250 : device->gpu_percent, 47};
  return kSuccess;
}

int nvmlDeviceGetMemoryInfo(Device* device, Memory* memory) {
  const int code = may_tell(device);
  if (code != kSuccess) return code;
  if (tells_by_process()) return kUnsupported;
  const unsigned long long used = device->used + kGiB / 2;  // with what the driver keeps
  *memory = {80 * kGiB, 80 * kGiB - used, is("nonsense") ? 81 * kGiB : used};
  return kSuccess;
}

#ifndef NVML_STAND_IN_LEAN
int nvmlDeviceGetMemoryInfo_v2(Device* device, MemoryV2* memory) {
  const int code = may_tell(device);
  if (code != kSuccess) return code;
  if (memory->version != (sizeof(MemoryV2) | 2U << 24U)) return kWrongVersion;
  if (tells_by_process()) return kUnsupported;
  const unsigned long long used = is("nonsense") ? 81 * kGiB : device->used;
  *memory = {memory->version, 80 * kGiB, kGiB / 2, 80 * kGiB - kGiB / 2 - device->used, used};
  return kSuccess;
}

int nvmlDeviceGetPowerUsage(Device* device, unsigned* milliwatts) {
  const int code = may_tell(device);
  if (code != kSuccess) return code;
  *milliwatts = is("nonsense") ? ~0U : device->milliwatts;
  return kSuccess;
}
#endif

int nvmlDeviceGetTemperature(Device* device, int sensor, unsigned* celsius) {
  const int code = may_tell(device);
  if (code != kSuccess) return code;
  if (sensor != 0) return kInvalid;
  *celsius = is("nonsense") ? 4294967 : device->celsius;
  return kSuccess;
}

int nvmlDeviceGetMigMode(Device* device, unsigned* current, unsigned* pending) {
  const int code = may_tell(device);
  if (code != kSuccess) return code;
  *current = *pending = is("mig") && device == devices ? 1 : 0;
  return kSuccess;
}

int nvmlDeviceGetComputeRunningProcesses_v3(Device* device, unsigned* count, Process* list) {
  const int code = may_tell(device);
  if (code != kSuccess) return code;
  const unsigned room = *count;
  if (is("growing") && list != nullptr) processes_now = room + 1;
  *count = processes_now;
  if (list == nullptr || room < processes_now) {
    processes_now += is("unified") && list == nullptr ? 2 : 0;  // some begin meanwhile
    return processes_now == 0 ? kSuccess : kTooSmall;
  }
  for (unsigned i = 0; i < processes_now; ++i) list[i] = {1000 + i, 4 * kGiB, ~0U, ~0U};
  processes_now = 3;
  return kSuccess;
}

}  // extern "C"
