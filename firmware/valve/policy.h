// How the box wants to decide: settings as the valve sees them.
#pragma once

#include <cstdint>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/valve/rule.h"

namespace sluice::valve {

struct Policy {
  bool overflow = true;      // false: the valve is closed, whatever happens
  bool hold = true;          // false: no fair queue, all goes straight through
  double hysteresis = 0.03;  // share of the line that must be free before the valve closes
  double margin = 1.0;       // a forecast may reach this share of the service level
  double growth = 0.06;      // how far above measured concurrency to go at a time
  double untried_prefill_tps = 2000;
  Tokens expected_output{256};  // for cost, when the request does not say
  int64_t carbon_price_nano_per_kg = 0;
  int attempts_max = 3;
  Duration first_byte_max = Duration::seconds(120);
  bool hedge = false;                            // a second copy of what comes late
  int64_t waiting_price_nano_per_s = 1'000'000;  // what a second of waiting is worth (score.h)
  Rule rule = Rule::predict;
  int rule_concurrency = 32;  // N of static_threshold
  int rule_queue = 5;         // Q and K of queue_kv
  double rule_kv = 0.8;
  // Late binding: prompts wait here rather than in the engine's queue once that would take this
  // share of the TTFT promised to compute. Zero: as soon as the engine has anything to compute.
  double queue_share = 0.25;
  // For rehearsals and tests: forecasts are off by a factor of this standard deviation (of its
  // logarithm), one for each request. Zero in a box that serves.
  double forecast_noise = 0;
  bool operator==(const Policy&) const = default;
};

}  // namespace sluice::valve
