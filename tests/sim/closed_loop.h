// Users who each ask again as soon as they are answered, as the published report case has them.
#pragma once

#include "tests/sim/site.h"

namespace sluice::sim {

// `users` at a time, until `requests` of them have been answered; what the site has learned before
// stays. The figures are of these requests only.
Tally run_closed_loop(Site& site, int users, int requests, int64_t prompt, int64_t output);

}  // namespace sluice::sim
