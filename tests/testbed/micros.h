// Time in the testbed: whole microseconds since some start. Deliberately not the product's types:
// a stand-in shares no code with what it tests.
#pragma once

#include <cstdint>

namespace sluice::testbed {

using Micros = std::int64_t;

constexpr Micros kSecond = 1'000'000;

inline Micros from_seconds(double seconds) {
  return static_cast<Micros>(seconds * static_cast<double>(kSecond) + 0.5);
}
inline double to_seconds(Micros micros) {
  return static_cast<double>(micros) / static_cast<double>(kSecond);
}

}  // namespace sluice::testbed
