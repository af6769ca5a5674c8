// What the page, the metrics and the command line may see of the tunnels: values, no access.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/tunnel/belt.h"
#include "firmware/tunnel/names.h"
#include "firmware/tunnel/path_view.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

struct ClassView {
  TrafficClass traffic = TrafficClass::interactive;
  std::string path;      // PathName::text(); empty: none was chosen yet
  bool carries = false;  // it is alive, and no answer of it is missing
  Words why;
};

struct SwitchView {  // a change of path, newest last
  Date at;
  TrafficClass traffic = TrafficClass::interactive;
  std::string from;  // empty: it was the first
  std::string to;
  Words why;
  Duration gap;                           // from the old path's last proof to the switch
  int packets_lost = 0;                   // probes of the old path without an answer, as a measure
  std::vector<std::string> alternatives;  // with why they were not taken
};

struct TunnelReport {
  bool on = false;      // by the settings
  bool joined = false;  // it has a membership
  std::string backend;  // "kernel", "userspace"; empty: not started
  std::string network;
  std::string address;  // the inner one
  std::vector<std::string> prefixes;
  std::vector<PathView> paths;
  std::vector<ClassView> classes;
  std::vector<SwitchView> switches;  // the last few
  std::vector<Words> findings;       // what is wrong, and what to do
  uint64_t switches_total = 0;
  std::optional<BeltCounters> belt;  // packets that were stopped; nothing: not read yet
};

class TunnelSight {
 public:
  virtual ~TunnelSight() = default;
  virtual TunnelReport tunnels() const = 0;
};

}  // namespace sluice::tunnel
