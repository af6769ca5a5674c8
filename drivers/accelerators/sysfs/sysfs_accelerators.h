// The AMD and Intel cards of this machine, as the kernel's files tell them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "drivers/accelerators/sysfs/fdinfo.h"
#include "firmware/ports/accelerators.h"

namespace sluice::drivers {

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
  DrmClients before_;  // at the last look
  int64_t before_ns_ = 0;
};

}  // namespace sluice::drivers
