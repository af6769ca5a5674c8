// Who can reach the box, and where data may go from it, in sentences for people.
#pragma once

#include <string>
#include <vector>

#include "firmware/settings/settings.h"

namespace sluice::settings {

// One line for each listener and each enabled node. Lines that deserve a second look begin with
// "warning: ".
std::vector<std::string> describe_exposure(const Settings& settings);

}  // namespace sluice::settings
