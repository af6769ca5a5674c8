// The AMD and Intel cards of this machine, as the kernel's files tell them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "drivers/accelerators/sysfs/drm_files.h"
#include "firmware/ports/accelerators.h"

namespace sluice::drivers {

// New users of a card are looked for at every so many looks; between them only those already known
// are asked, for there may be thousands of open files to go through.
inline constexpr int kLooksBetweenSearches = 10;

// Nanoseconds that never step back, on whatever thread.
int64_t monotonic_ns();

class SysfsAccelerators final : public ports::Accelerators {
 public:
  // `root` is what stands before /sys and /proc.
  explicit SysfsAccelerators(std::string root = "", std::function<int64_t()> now_ns = monotonic_ns);

  const char* name() const override { return "sysfs"; }
  ports::AcceleratorLook look() override;

 private:
  const std::string root_;
  const std::function<int64_t()> now_ns_;
  DrmUsers users();

  DrmUsers known_;           // at the last look
  int64_t known_ns_ = 0;     // when that was
  int looks_to_search_ = 0;  // until all processes are gone through again
};

}  // namespace sluice::drivers
