// What is kept of every switch: for people who want to know what their users felt, and why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/tunnel/choice.h"
#include "firmware/tunnel/path_health.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

struct SwitchRecord {
  struct Other {
    std::string path;  // PathName::text()
    WhyNot why = WhyNot::no_better;
    bool operator==(const Other&) const = default;
  };
  uint64_t number = 0;  // of the log, from 1
  Date at;
  TrafficClass traffic = TrafficClass::interactive;
  std::string from;  // PathName::text(); empty: none
  std::string to;
  Reason reason = Reason::first;
  std::optional<DeathCause> cause;  // of a path that died
  Duration gap;                     // from the last answer by the old path to the switch
  int probes_lost = 0;              // of the old path since its last answer
  int64_t packets_lost = -1;        // estimate, both directions; -1 = not known
  bool drill = false;               // an administrator's rehearsal
  std::vector<Other> others;
  bool operator==(const SwitchRecord&) const = default;
};

// `died`: why the old path is dead, if it is. Number, at and packets_lost are the caller's.
SwitchRecord record_of(const Choice& choice, TrafficClass traffic,
                       const std::vector<PathView>& paths, Instant now,
                       std::optional<DeathCause> died, int probes_lost);

// Packets that were under way in the gap, at the rate at which they came and went before it.
int64_t packets_in(Duration gap, double packets_per_second);

std::string to_line(const SwitchRecord& record);  // JSON, without line break
// Errors: broken.
Result<SwitchRecord> parse_switch(std::string_view line);
Words explain(const SwitchRecord& record);

}  // namespace sluice::tunnel
