// What probing costs, in bytes on the wire. Pure.
#pragma once

#include "firmware/base/units.h"
#include "firmware/tunnel/names.h"
#include "firmware/tunnel/path_settings.h"

namespace sluice::tunnel {

// Of a packet of `inner` bytes (IP header included) that goes through WireGuard: padded to 16,
// 32 bytes of its own, then UDP and IP, or the shim's frame, TCP (with timestamps) and IP v4.
int outer_bytes(int inner, Transport transport);

struct ProbeCost {
  double packets_per_second = 0;  // each way
  Bytes day;                      // each way
};
// Of a path that is good: regular, bulk and size questions.
ProbeCost probe_cost(const PathSettings& settings, Transport transport, bool metered, bool carrying,
                     int mtu = 1420);

}  // namespace sluice::tunnel
