// The load of a site in one language, whatever engine or accelerator told it: the canonical load
// model. A value that nobody tells is absent, never 0.
// Units are in the names; shares run from 0 to 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "firmware/base/time.h"

namespace sluice::sense {

enum class Confidence {
  absent,   // there is no value; `source` says why
  stale,    // it was told once, longer ago than its source may be silent
  learnt,   // inferred from what was seen over time
  derived,  // reckoned from values that were told
  told,     // as the source tells it
};
const char* to_text(Confidence confidence);

struct Figure {
  std::optional<double> value;
  Confidence confidence = Confidence::absent;
  std::string source = "not told";  // name of the metric, "nvml", "own count", "settings"
  Instant at;                       // when it came to us; its age is counted from here
  std::optional<int64_t> stamp_ms =
      {};  // the source's own timestamp: equal = the same sample again

  bool operator==(const Figure&) const = default;
};

// A value older than `stale_after` is called stale; zero: never.
void mark_stale(Figure& figure, Duration stale_after, Instant now);

// One accelerator, or one partition of it that can be used by itself.
struct AcceleratorLoad {
  std::string id;      // stays the same over restarts: UUID, serial number or PCI address
  std::string name;    // model, e.g. "NVIDIA H20"; may be empty
  std::string vendor;  // as the driver file says, e.g. "nvidia"
  Figure busy;         // share of time in which it computed anything; says little of room left
  Figure memory_used_bytes;
  Figure memory_total_bytes;
  Figure power_w;
  Figure temperature_c;
  Figure health;             // 1 well, 0 not
  std::string trouble = {};  // of one that is not well, where its source says more than that

  bool operator==(const AcceleratorLoad&) const = default;
};

// A window of a latency: what ended between two looks.
struct LatencyLoad {
  Figure p50_s;
  Figure p95_s;
  Figure mean_s;

  bool operator==(const LatencyLoad&) const = default;
};

struct EngineLoad {
  Figure running;  // requests in the batch, of all clients
  Figure waiting;  // requests in its own queue, of all clients
  Figure limit;    // requests that it runs at once: declared, read or learnt
  Figure kv_usage;
  Figure prefix_hit_rate;  // share of prompt tokens, over the window where counters tell it
  Figure prompt_tokens;    // since its start, as are the next two
  Figure generation_tokens;
  Figure preemptions;
  LatencyLoad ttft;
  LatencyLoad tpot;
  LatencyLoad queue_time;
  Figure asleep;         // 1 it sleeps, 0 it does not
  Figure loading;        // 1 its model is being loaded, 0 it is not
  Figure in_flight;      // running and waiting together, where it tells no more than that
  Figure kv_tokens;      // tokens that its cache holds
  Figure loaded_models;  // in memory; 0: the next request waits for loading
  Figure ttft_last_s;    // of the last request that ended, where it tells no histogram
  Figure tpot_last_s;

  bool operator==(const EngineLoad&) const = default;
};

}  // namespace sluice::sense
