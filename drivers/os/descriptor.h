// An open file descriptor that closes itself; and POSIX errors as Error.
// For the files of this folder only.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <string>
#include <string_view>

#include "firmware/base/result.h"

namespace sluice::drivers {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

// errno on failure; O_CLOEXEC is added.
Descriptor open_file(const std::string& path, int flags, mode_t mode = 0600);
// False with errno; then a part may have been written.
bool write_all(const Descriptor& file, std::string_view bytes);
bool sync_folder_of(const std::string& path);

// From errno: gone (no such file), busy (disk full, no descriptors left), broken (the disk fails),
// refused (all else).
Error file_error(std::string_view what, const std::string& path);

}  // namespace sluice::drivers
