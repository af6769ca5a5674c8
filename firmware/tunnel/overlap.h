// Does the network's address plan collide with the site's? Where it does, part of one of the two
// would vanish silently, so it is refused, with advice. Pure.
#pragma once

#include <string>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/ports/links.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

inline constexpr size_t kOverlapsMax = 16;  // told at most

struct Overlap {
  IpPrefix ours;          // of the network
  IpPrefix theirs;        // of the site
  std::string interface;  // where the site has it; empty: none
  Words words;
};

// Against addresses and routes of every interface that is not ours (default routes aside), and
// against numeric hosts of the PoPs: what carries the tunnel cannot be inside it.
std::vector<Overlap> overlaps(const Membership& membership, const ports::NetworkState& network);

}  // namespace sluice::tunnel
