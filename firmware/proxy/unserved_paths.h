// Paths of the OpenAI and Anthropic APIs that this box does not serve, each with the sentence that
// says so and what to do instead: a client is told plainly, not by a bare 404.
#pragma once

#include <optional>
#include <string_view>

#include "firmware/proxy/api_error.h"

namespace sluice::proxy {

// What to answer at `path`; nothing if it is no such path.
std::optional<ApiError> unserved(std::string_view path);

}  // namespace sluice::proxy
