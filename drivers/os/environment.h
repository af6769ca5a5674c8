// Variables that the service manager or a person set for this process.
#pragma once

#include <optional>
#include <string>

namespace sluice::drivers {

// Nothing if it is not set; an empty one is set.
std::optional<std::string> environment(const std::string& name);

}  // namespace sluice::drivers
