// The tunnels as JSON. Pure.
#pragma once

#include "firmware/ports/json.h"
#include "firmware/tunnel/tunnel_commands.h"
#include "firmware/tunnel/tunnel_view.h"

namespace sluice::web {

ports::JsonValue tunnels_value(const tunnel::TunnelReport& report, Instant now);
ports::JsonValue drill_value(const tunnel::DrillReport& report);

}  // namespace sluice::web
