// The tunnels for people at a terminal. Pure: the daemon's JSON in, text out.
#pragma once

#include <string>

#include "firmware/ports/json.h"

namespace sluice::box {

std::string tunnel_text(const ports::JsonValue& tunnels, bool chinese);
std::string drill_text(const ports::JsonValue& report, bool chinese);

}  // namespace sluice::box
