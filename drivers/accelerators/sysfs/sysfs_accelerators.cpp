#include "drivers/accelerators/sysfs/sysfs_accelerators.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sluice::drivers {

int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

SysfsAccelerators::SysfsAccelerators(std::string root, std::function<int64_t()> now_ns)
    : root_(std::move(root)), now_ns_(std::move(now_ns)) {}

// What the last search could not see stays unseen until the next one.
DrmUsers SysfsAccelerators::users() {
  if (--looks_to_search_ < 0) {
    looks_to_search_ = kLooksBetweenSearches - 1;
    return read_users(root_);
  }
  DrmUsers users = read_users_among(root_, known_.processes);
  if (users.why_incomplete.empty()) users.why_incomplete = known_.why_incomplete;
  return users;
}

// Nobody's open files are looked at for cards that tell all by themselves.
ports::AcceleratorLook SysfsAccelerators::look() {
  const auto cards = read_cards(root_);
  if (cards.empty()) {
    known_ = {};
    return {ports::AcceleratorState::no_device, "there is no card of amdgpu, i915 or xe", {}};
  }
  const bool needed = std::any_of(cards.begin(), cards.end(),
                                  [](const auto& card) { return needs_users(card.second); });
  DrmUsers users_now = needed ? users() : DrmUsers();
  const int64_t now_ns = now_ns_();
  const auto uses = use_between(known_.clients, users_now.clients, now_ns - known_ns_);
  ports::AcceleratorLook look{ports::AcceleratorState::answers, {}, {}};
  for (const auto& [card, files] : cards) {
    const auto use = uses.find(card.address);
    CardUse of_card{use == uses.end() ? DrmUse() : use->second, users_now.why_incomplete};
    look.devices.push_back(read_card(card, files, of_card));
  }
  known_ = std::move(users_now);
  known_ns_ = now_ns;
  return look;
}

}  // namespace sluice::drivers
