// Text that is wiped when it ends, and when it moves to make room. It cannot be formatted.
#pragma once

#include <memory>
#include <string_view>

namespace sluice::drivers {

class SecretText {
 public:
  SecretText() = default;
  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText&& other) noexcept;
  ~SecretText();
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;

  void append(std::string_view more);
  void clear();  // and wipes
  size_t size() const { return size_; }
  std::string_view reveal() const { return {bytes_.get(), size_}; }
  // Room behind the text, of at least `size` bytes; then grow(): so many of them are text now.
  char* room(size_t size);
  void grow(size_t size) { size_ += size; }

 private:
  void wipe();

  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace sluice::drivers
