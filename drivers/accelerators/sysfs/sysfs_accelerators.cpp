#include "drivers/accelerators/sysfs/sysfs_accelerators.h"

#include <chrono>
#include <utility>

#include "drivers/accelerators/sysfs/drm_files.h"

namespace sluice::drivers {

int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

SysfsAccelerators::SysfsAccelerators(std::string root, std::function<int64_t()> now_ns)
    : root_(std::move(root)), now_ns_(std::move(now_ns)) {}

// Without a card nobody's open files are looked at.
ports::AcceleratorLook SysfsAccelerators::look() {
  const auto cards = read_cards(root_);
  if (cards.empty()) {
    before_.clear();
    return {ports::AcceleratorState::no_device, "there is no card of amdgpu, i915 or xe", {}};
  }
  DrmUsers users = read_users(root_);
  const int64_t now_ns = now_ns_();
  const auto uses = use_between(before_, users.clients, now_ns - before_ns_);
  ports::AcceleratorLook look{ports::AcceleratorState::answers, {}, {}};
  for (const auto& [card, files] : cards) {
    const auto use = uses.find(card.address);
    CardUse of_card{use == uses.end() ? DrmUse() : use->second, users.why_incomplete};
    look.devices.push_back(read_card(card, files, of_card));
  }
  before_ = std::move(users.clients);
  before_ns_ = now_ns;
  return look;
}

}  // namespace sluice::drivers
