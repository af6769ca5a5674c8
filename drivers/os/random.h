// Chance: repeatable streams from one seed, and unpredictable bytes from the system.
//
// xoshiro256** 1.0 (D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators",
// 2018), its state filled by splitmix64 as the authors advise. Not for secrets.
#pragma once

#include <array>

#include "firmware/ports/random.h"

namespace sluice::drivers {

class SeededRandom final : public ports::Random {
 public:
  explicit SeededRandom(uint64_t seed);
  uint64_t next() override;

 private:
  std::array<uint64_t, 4> state_;
};

// Each consumer's stream depends on the seed and its name only, not on who else asked or when.
class OsRandomStreams final : public ports::RandomStreams {
 public:
  explicit OsRandomStreams(uint64_t seed) : seed_(seed) {}
  std::unique_ptr<ports::Random> stream(std::string_view consumer) override;

 private:
  const uint64_t seed_;
};

class OsSecrets final : public ports::Secrets {
 public:
  std::string bytes(size_t count) override;
};

uint64_t system_seed();  // a new one at each call, from getrandom(2)

}  // namespace sluice::drivers
