// What must hold between fields.
#pragma once

#include "firmware/settings/problem.h"
#include "firmware/settings/settings.h"

namespace sluice::settings {

// After complete(). Indices in complaints are those of the lists.
void check_between(const Settings& settings, Report& report);

}  // namespace sluice::settings
