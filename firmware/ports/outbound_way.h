// The way that packets of a socket leave by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "firmware/base/ip.h"

namespace sluice::ports {

// How packets leave: see socket(7), ip(7). Empty and zero values leave it to the system.
struct OutboundWay {
  std::string interface;            // SO_BINDTODEVICE: in and out by this one only
  std::optional<IpAddress> source;  // the local address
  uint32_t mark = 0;                // SO_MARK; needs CAP_NET_ADMIN
  uint8_t dscp = 0;                 // 0..63, of the IP header
  bool operator==(const OutboundWay&) const = default;
};

}  // namespace sluice::ports
