// What is measured with users rather than recorded arrivals: the published report case, one key
// that floods the others, and a storm of retries. Each prints its figures as JSON.
#pragma once

#include <string>

#include "firmware/ports/json.h"
#include "firmware/valve/policy.h"

namespace sluice::sim {

// A report is one request of 50 tokens, 42 s long with up to 35 at a time; `users` ask again as
// soon as they are answered. The valve has seen 30 users before.
ports::JsonValue report_case(const valve::Policy& policy, int users);

// Ten keys share the chat recording at a load of 0.3; in the second half of the figures an eleventh
// sends fifty times as much as each of them. `cloud`: overflow is possible.
ports::JsonValue fairness_case(const valve::Policy& policy, const std::string& trace_folder,
                               bool cloud);

// 100 users for ten minutes on an engine that serves them in more than the 30 s after which they
// give up and ask again at once; then 20 users. No cloud.
ports::JsonValue storm_case(const valve::Policy& policy);

}  // namespace sluice::sim
