// Which wireguard-go this is: those before 2023 want each packet of the TUN behind a prefix of four
// bytes, later ones want none. The program does not ask the device, and reads garbage if it is
// given the other.
#pragma once

#include <string>
#include <string_view>

#include "drivers/uv/loop.h"
#include "drivers/uv/process.h"
#include "firmware/base/time.h"

namespace sluice::drivers {

inline constexpr Duration kVersionTimeMax = Duration::ms(500);

// In bytes. `text`: what --version writes, "wireguard-go v0.0.20220316..."; where no date is in it
// it is a later one.
int packet_prefix_of(std::string_view text);

// Runs it with --version and waits, a few milliseconds; empty if it says nothing in time.
std::string version_of(UvLoop& loop, const std::string& program, UvProcess::Ending& ending);

}  // namespace sluice::drivers
