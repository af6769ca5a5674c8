#include "tests/sim/synthetic.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tests/script/memory.h"

namespace sluice::sim {

namespace {

constexpr double kBurstVariation = 13;  // standard deviation of the gaps over their mean
constexpr double kDaySeconds = 24 * 3600;
constexpr double kSwing = 0.7;
constexpr uint32_t kDiurnalClients = 40;

// What is drawn by closed formulas.
class Draws : public script::SimRandom {
 public:
  using SimRandom::SimRandom;

  double uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }  // in (0, 1)
  double exponential(double mean) { return -mean * std::log(uniform()); }
  double normal() {  // Box and Muller
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  int64_t lognormal(double median, double sigma, int64_t most) {
    const double drawn = median * std::exp(sigma * normal());
    return std::clamp<int64_t>(std::llround(std::min(drawn, 1e9)), 1, most);
  }
};

}  // namespace

Trace code_like(double per_second, double seconds, uint64_t seed) {
  constexpr double kSquare = kBurstVariation * kBurstVariation;
  const double often = (1 + std::sqrt((kSquare - 1) / (kSquare + 1))) / 2;
  const double mean = 1 / per_second;
  Draws chance(seed);
  Trace trace;
  for (double at = 0;;) {
    const bool short_gap = chance.uniform() < often;
    at += chance.exponential(mean / 2 / (short_gap ? often : 1 - often));
    if (at >= seconds) return trace;
    Arrival made;
    made.at_us = std::llround(at * 1e6);
    made.prompt_tokens = chance.lognormal(1500, 0.95, 8000);
    made.output_tokens = chance.lognormal(13, 1.15, 1000);
    trace.push_back(made);
  }
}

Trace diurnal(double per_second, double seconds, uint64_t seed) {
  Draws chance(seed);
  Trace trace;
  for (double at = 0;;) {
    at += chance.exponential(1 / (per_second * (1 + kSwing)));
    if (at >= seconds) return trace;
    const double now = 1 - kSwing * std::cos(2 * std::numbers::pi * at / kDaySeconds);
    if (chance.uniform() * (1 + kSwing) > now) continue;
    Arrival made;
    made.at_us = std::llround(at * 1e6);
    // The square makes the first clients ask far more often than the last.
    const double lot = chance.uniform();
    made.client = static_cast<uint32_t>(lot * lot * kDiurnalClients);
    made.prompt_tokens = chance.lognormal(300, 1.6, 30000);
    made.output_tokens = chance.lognormal(700, 1.1, 16000);
    trace.push_back(made);
  }
}

}  // namespace sluice::sim
