// An open file descriptor that closes itself. For drivers only.
#pragma once

#include <unistd.h>

#include <utility>

namespace sluice::drivers {

class HeldDescriptor {
 public:
  HeldDescriptor() = default;
  explicit HeldDescriptor(int number) : number_(number) {}
  HeldDescriptor(HeldDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  HeldDescriptor& operator=(HeldDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~HeldDescriptor() {
    if (number_ >= 0) ::close(number_);
  }
  HeldDescriptor(const HeldDescriptor&) = delete;
  HeldDescriptor& operator=(const HeldDescriptor&) = delete;

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

}  // namespace sluice::drivers
