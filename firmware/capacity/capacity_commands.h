// What a person may decide about leased capacity.
#pragma once

#include <string_view>

#include "firmware/base/result.h"

namespace sluice::capacity {

class CapacityCommands {
 public:
  virtual ~CapacityCommands() = default;
  // Errors: gone = no such lease; refused = it does not wait for consent.
  virtual Result<void> agree(std::string_view lease) = 0;
  // Of a proposal: not now. Of a lease: let it go. Errors: gone.
  virtual Result<void> decline(std::string_view lease) = 0;
};

}  // namespace sluice::capacity
