// Queues of a path's interface, so that bulk never delays tokens: text for `tc -batch -`.
// Pure. HTB with the rate held a little below the uplink's, or the queue would stand in the modem,
// where nobody knows our classes. Without a known rate nothing is shaped.
//   1:10 prio 0  probes (CS6), tokens (EF), all that is unmarked: a guaranteed share, may use all
//   1:20 prio 1  bulk (CS1): the rest, never quite all
#pragma once

#include <cstdint>
#include <string>

#include "firmware/base/ip.h"

namespace sluice::tunnel {

inline constexpr int64_t kShapedRateLeast = 64'000;  // bit/s; slower ones are not shaped
inline constexpr int64_t kShapedRateMax = 100'000'000'000;
inline constexpr int kShapedPercent = 94;  // of the uplink's rate, all classes together
inline constexpr int kBulkPercent = 90;    // of that, bulk at most
inline constexpr int kOuterBytes4 = 60;    // IPv4, UDP, WireGuard
inline constexpr int kOuterBytes6 = 80;

struct ShapingInput {
  std::string interface;
  int64_t rate_bits = 0;         // of the uplink outwards, bit/s; 0: not known
  int interactive_percent = 30;  // guaranteed, 1..90
  bool fq_codel = false;         // the kernel has it; else pfifo with a short queue
  IpAddress::Family outer = IpAddress::Family::v4;
};

bool is_shaped(const ShapingInput& input);
// Replaces what is there, with what waits in it: apply it when the text is another one than before.
// Where fq_codel is missing tc ends with 1: then without it. Empty when not shaped: then apply
// shaping_removal.
std::string shaping_batch(const ShapingInput& input);
// The system's own queue again; also where there was nothing of ours.
std::string shaping_removal(const std::string& interface);
// Packets of a pfifo leaf: what the class sends in about 100 ms, 16..1000.
int leaf_packets(int64_t rate_bits);

}  // namespace sluice::tunnel
