// What is known of a path at one moment: the value that choice, valve, page and command line read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "firmware/base/time.h"
#include "firmware/tunnel/names.h"

namespace sluice::tunnel {

enum class PathState {
  down,      // not brought up: no uplink, no address, not enrolled, clock not trusted
  starting,  // brought up, nothing has come back yet
  good,
  degraded,  // alive, and out of the wanted quality
  suspect,   // alive a moment ago, an answer is missing: a burst of probes asks
  dead,
};
const char* to_text(PathState state);

// Round trip and loss over the last window (PathSettings::window), of probes inside the tunnel.
struct PathQuality {
  Duration rtt;          // smoothed, RFC 6298
  Duration rtt_min;      // least of the window
  Duration jitter;       // mean difference of successive round trips, RFC 3550
  double loss_out = 0;   // share of our probes that did not reach the PoP, 0..1
  double loss_back = 0;  // share of the PoP's answers that did not reach us, 0..1
  int probes = 0;        // that the shares rest on; 0 = nothing known
  double loss_long = 0;  // of the round trip, weighted over the last minutes
  int probes_long = 0;
};

struct PathView {
  PathName name;
  int number = 0;  // interface_of(number)
  PathState state = PathState::down;
  Instant since;                 // of the state
  std::optional<Instant> proof;  // when the last authentic answer came
  PathQuality quality;
  PathQuality bulk;           // the same for packets of the bulk class; probes 0 = not asked
  int mtu = 0;                // largest inner packet that was proven to pass; 0 = not known
  bool metered = false;       // probes are few, and choice avoids it
  int preference = 0;         // the administrator's order of uplinks; less is better
  Instant hold_until;         // damped: not chosen before, after it failed repeatedly
  std::string trouble;        // why it is down, in words; empty = none
  std::string trouble_zh;     // the same in Chinese; empty = only the other is there
  bool below = false;         // its rating: degraded, whatever a momentary suspicion says
  Instant rated_since;        // of the rating; a death begins it anew
  bool pop_stopping = false;  // its PoP told that it is about to stop
};

}  // namespace sluice::tunnel
