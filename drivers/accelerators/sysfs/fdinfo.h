// What the kernel tells of one user of a graphics device, in /proc/<pid>/fdinfo/<fd> of each file
// that it has open there. Pure: text in, values out.
//
// i915 and amdgpu count nanoseconds of each engine, xe counts cycles beside all cycles that passed.
// One user may have the device open several times, and hand it to other processes: it is told apart
// by device and client id, and counted once. Counters may step back for a moment.
// Source: the kernel's Documentation/gpu/drm-usage-stats.rst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::drivers {

inline constexpr size_t kFdinfoBytesMax = 16 * 1024;  // of one file; the rest is not read
inline constexpr size_t kDrmEnginesMax = 32;          // of one client
inline constexpr size_t kDrmRegionsMax = 32;

struct DrmEngine {
  std::optional<uint64_t> busy_ns;
  std::optional<uint64_t> cycles;
  std::optional<uint64_t> total_cycles;
  uint64_t capacity = 1;  // engines of this kind
};

struct DrmClient {
  std::string driver;  // "xe"
  std::string device;  // PCI address
  std::string id;
  std::map<std::string, DrmEngine> engines;
  std::optional<double> local_bytes;  // of the device's own memory: resident, else allocated
};

// Nothing: the file is of no graphics device, or tells neither device nor client.
std::optional<DrmClient> parse_fdinfo(std::string_view text);

using DrmClients = std::map<std::pair<std::string, std::string>, DrmClient>;  // by device and id

struct DrmUse {
  std::optional<double> busy;         // of its busiest kind of engine; nothing without two looks
  std::optional<double> local_bytes;  // nothing: no client tells it
};

// By device. A client that came between the looks counts from the next one on.
std::map<std::string, DrmUse> use_between(const DrmClients& before, const DrmClients& after,
                                          int64_t elapsed_ns);

}  // namespace sluice::drivers
