// Variables that the service manager or a person set for this process.
#pragma once

#include <optional>
#include <string>

namespace sluice::drivers {

// Nothing if it is not set; an empty one is set.
std::optional<std::string> environment(const std::string& name);

// The same, and forgets it: no child sees it. Before there are threads.
std::optional<std::string> take_from_environment(const std::string& name);

// The path of this program as it was started, absolute, symbolic links left as they are: what
// stands there later may be a newer one. `name` is argv[0]; one without a slash was found by the
// shell: then it is what the system says.
std::string own_program(const std::string& name);

}  // namespace sluice::drivers
