// What this machine is called.
#pragma once

#include <string>

namespace sluice::drivers {

std::string host_name();  // empty if the system does not say

}  // namespace sluice::drivers
