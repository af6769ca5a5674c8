// Chance in the simulated world: one stream per consumer, by name, from one seed, so that a new
// consumer changes nothing for the others.
#pragma once

#include <cstdint>
#include <string_view>

#include "tests/script/memory.h"

namespace sluice::sim {

inline constexpr uint64_t kFnvStart = 0xcbf29ce484222325ull;

// FNV-1a, a byte at a time.
inline uint64_t fnv(std::string_view bytes, uint64_t hash = kFnvStart) {
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ull;
  }
  return hash;
}

class Chance : public script::SimRandom {
 public:
  Chance(uint64_t seed, std::string_view consumer)
      : SimRandom(seed * 0x9E3779B97F4A7C15ull ^ fnv(consumer)) {}
  double part() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // 0 <= part < 1
  bool happens(double probability) { return part() < probability; }
  int64_t between(int64_t least, int64_t most) {  // both included
    return least + static_cast<int64_t>(next() % static_cast<uint64_t>(most - least + 1));
  }
};

}  // namespace sluice::sim
