// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): turns numbers that are alike into
// numbers that look drawn. Not for secrets.
#pragma once

#include <cstdint>

namespace sluice::valve {

constexpr uint64_t kGoldenGamma = 0x9E3779B97F4A7C15ull;

constexpr uint64_t splitmix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

}  // namespace sluice::valve
