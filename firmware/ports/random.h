// Chance. `Random` is for choices and jitter (one named stream per consumer, repeatable in
// simulation); `Secrets` is for keys.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::ports {

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;  // uniform over all 64-bit values
};

class RandomStreams {
 public:
  virtual ~RandomStreams() = default;
  virtual std::unique_ptr<Random> stream(std::string_view consumer) = 0;
};

class Secrets {
 public:
  virtual ~Secrets() = default;
  virtual std::string bytes(size_t count) = 0;  // unpredictable, from the system
};

}  // namespace sluice::ports
