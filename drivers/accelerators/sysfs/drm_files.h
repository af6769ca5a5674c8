// Reads the kernel's files about graphics cards and their users below a given root: "" is this
// machine. Thread: any. What goes away while it is read is left out.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "drivers/accelerators/sysfs/card.h"
#include "drivers/accelerators/sysfs/fdinfo.h"

namespace sluice::drivers {

inline constexpr size_t kCardsMax = 64;
inline constexpr size_t kProcessesMax = 32768;  // looked at in one look
inline constexpr size_t kOpenFilesMax = 262144;
inline constexpr size_t kFdinfosMax = 8192;
inline constexpr size_t kCardFileBytesMax = 4096;

struct DrmUsers {
  DrmClients clients;
  std::vector<std::string> processes;  // that have such a device open
  std::string why_incomplete;          // not empty: there may be users that were not seen
};

std::vector<std::pair<Card, CardFiles>> read_cards(const std::string& root);
// Of all processes: thousands of links may have to be read.
DrmUsers read_users(const std::string& root);
// Of these only, those that an earlier look found.
DrmUsers read_users_among(const std::string& root, const std::vector<std::string>& processes);

}  // namespace sluice::drivers
