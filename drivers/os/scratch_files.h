// Scratch files in a folder on disk, unlinked from their first moment on.
// Reads and writes are calls of the loop thread: they go to the page cache, and wait only where the
// kernel throttles writers.
#pragma once

#include <string>
#include <utility>

#include "firmware/ports/scratch.h"

namespace sluice::drivers {

class OsScratchFiles final : public ports::ScratchFiles {
 public:
  explicit OsScratchFiles(std::string folder) : folder_(std::move(folder)) {}
  Result<std::unique_ptr<ports::ScratchFile>> make() override;

 private:
  const std::string folder_;  // exists
};

}  // namespace sluice::drivers
