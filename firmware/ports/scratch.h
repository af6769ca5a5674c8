// Files without a name: for what is too large for memory and worth nothing after the process. They
// are gone when they are closed, however the process ends.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "firmware/base/result.h"

namespace sluice::ports {

class ScratchFile {
 public:
  virtual ~ScratchFile() = default;
  // All of `bytes` or an error. Errors: busy (the disk is full), broken (the disk fails).
  virtual Result<void> append(std::string_view bytes) = 0;
  // How many bytes were read from `offset` on; zero at the end. Errors: broken.
  virtual Result<size_t> read(uint64_t offset, std::span<char> into) const = 0;
};

class ScratchFiles {
 public:
  virtual ~ScratchFiles() = default;
  // Errors: busy (no descriptors, no room), refused (the folder cannot be written to).
  virtual Result<std::unique_ptr<ScratchFile>> make() = 0;
};

}  // namespace sluice::ports
