#include "drivers/uapi/secret_text.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::drivers {

namespace {

constexpr size_t kCapacityMin = 4096;

}  // namespace

SecretText::SecretText(SecretText&& other) noexcept
    : bytes_(std::move(other.bytes_)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

SecretText& SecretText::operator=(SecretText&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  bytes_ = std::move(other.bytes_);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  return *this;
}

SecretText::~SecretText() { wipe(); }

void SecretText::wipe() {
  if (capacity_ > 0) ::explicit_bzero(bytes_.get(), capacity_);
}

void SecretText::clear() {
  wipe();
  size_ = 0;
}

char* SecretText::room(size_t size) {
  if (capacity_ - size_ < size) {
    const size_t capacity = std::max({size_ + size, capacity_ * 2, kCapacityMin});
    auto larger = std::make_unique<char[]>(capacity);
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    wipe();
    bytes_ = std::move(larger);
    capacity_ = capacity;
  }
  return bytes_.get() + size_;
}

void SecretText::append(std::string_view more) {
  if (more.empty()) return;
  std::memcpy(room(more.size()), more.data(), more.size());
  size_ += more.size();
}

}  // namespace sluice::drivers
