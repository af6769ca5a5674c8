// The requests of a run: request i depends on the options, its arrival and i only.
#pragma once

#include <cstdint>
#include <string>

#include "tests/testbed/arrivals.h"
#include "tests/testbed/load_exchange.h"
#include "tests/testbed/load_options.h"

namespace sluice::testbed {

// Exactly 4 * tokens bytes (more only if the index does not fit), some of them multi-byte.
std::string prompt_of(const LoadOptions& options, std::int64_t index, std::int64_t tokens);

LoadRequest make_request(const LoadOptions& options, std::int64_t index, const Arrival& arrival);

}  // namespace sluice::testbed
