// The accelerators as JSON, for the page and programs. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/ports/json.h"
#include "firmware/sense/accelerator_view.h"

namespace sluice::web {

inline constexpr size_t kAcceleratorsShownMax = 64;  // of one source; `more` counts the others

// A list of sources. Each figure is {value, source, age_ms, confidence}; of one that nobody tells
// `value` is null and `source` says why.
ports::JsonValue accelerators_value(const std::vector<sense::AcceleratorSourceReport>& sources,
                                    Instant now);

}  // namespace sluice::web
