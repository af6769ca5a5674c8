// What the process uses of the system, and its limit of open descriptors (one for each connection).
#pragma once

#include <cstdint>
#include <optional>

#include "firmware/base/result.h"
#include "firmware/base/units.h"

namespace sluice::drivers {

// Raises the soft limit to the hard one; returns what now holds. Errors: refused (system policy).
Result<int64_t> raise_descriptor_limit();

// For metrics; nothing where /proc is not mounted.
std::optional<int64_t> open_descriptors();
std::optional<Bytes> resident_memory();

}  // namespace sluice::drivers
