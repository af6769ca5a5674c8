// One graphics card as its files under /sys/class/drm/cardN/device tell it. Pure: texts in, values
// out. Only the drivers amdgpu, i915 and xe are known.
// Sources: the kernel's amdgpu_pm.c and amdgpu_vram_mgr.c, Documentation/hwmon/sysfs-interface.rst.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/accelerators/sysfs/fdinfo.h"
#include "firmware/ports/accelerators.h"

namespace sluice::drivers {

struct CardFile {
  std::string text;
  int error = 0;  // of errno; then there is no text
};
// By path below the card's device folder; the hwmon folder is "hwmon", whatever its number.
using CardFiles = std::map<std::string, CardFile, std::less<>>;

struct Card {
  std::string driver;
  std::string address;  // PCI
  std::string model;    // "1002:744C"
};

// From the file `uevent`. Nothing: the driver is none of those that are known.
std::optional<Card> parse_uevent(std::string_view text);

// The files that are asked for, hwmon's apart.
inline constexpr const char* kCardFileNames[] = {"gpu_busy_percent", "mem_info_vram_used",
                                                 "mem_info_vram_total", "product_name"};
inline constexpr const char* kHwmonFileNames[] = {"power1_average", "power1_input", "temp1_input",
                                                  "temp1_label"};

// Whether this card's own files leave something to be told by those of its users.
bool needs_users(const CardFiles& files);

// `use`: what its users' files tell, or the reason why those cannot be read.
struct CardUse {
  DrmUse use;
  std::string why_not;  // not empty: `use` is not the whole truth and is not told
};
ports::AcceleratorReading read_card(const Card& card, const CardFiles& files, const CardUse& use);

}  // namespace sluice::drivers
