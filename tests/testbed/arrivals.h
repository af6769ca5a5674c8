// When requests arrive in an open loop, and how long their prompts and answers are.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/testbed/micros.h"

namespace sluice::testbed {

struct Arrival {
  Micros at = 0;                    // since the start of the run
  std::int64_t prompt_tokens = -1;  // -1: as the options say
  std::int64_t output_tokens = -1;
};

class Arrivals {
 public:
  virtual ~Arrivals() = default;
  virtual std::optional<Arrival> next() = 0;  // in order of time
};

// A Poisson process without end.
class PoissonArrivals : public Arrivals {
 public:
  PoissonArrivals(double per_second, std::uint64_t seed) : rate_(per_second), chance_(seed) {}
  std::optional<Arrival> next() override;

 private:
  double rate_;
  std::mt19937_64 chance_;
  double at_s_ = 0;
};

// Times and lengths from a file, moved so that the first arrives at 0. Lines are either CSV
// "arrival s, input tokens, output tokens" (a first line of words is skipped) or JSON objects with
// arrival_s (or timestamp, in ms), input_length or input_tokens, output_length or output_tokens.
class TraceArrivals : public Arrivals {
 public:
  // An error text when the file cannot be read or a line is neither.
  std::optional<std::string> load(const std::string& file, double time_scale);
  std::optional<Arrival> next() override;

 private:
  std::vector<Arrival> arrivals_;
  std::size_t place_ = 0;
};

}  // namespace sluice::testbed
