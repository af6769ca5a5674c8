// By what a box and its PoPs know each other's datagrams outside and inside the tunnels.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "firmware/tunnel/membership.h"

namespace sluice::tunnel {

struct ProbeIdentity {
  uint64_t box = 0;
  uint64_t instance = 0;
  std::string key;  // secret; kProbeKeyBytes
};

// Nothing: the membership was imported, its peer answers no questions.
std::optional<ProbeIdentity> probe_identity(const Membership& membership);

}  // namespace sluice::tunnel
