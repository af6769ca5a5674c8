// What a person may ask of the tunnels. Thread: loop. `done` once, in a later turn or at once.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/time.h"

namespace sluice::tunnel {

struct JoinWish {
  std::string url;      // of the operator's endpoint
  std::string token;    // secret, good once
  std::string ca_file;  // certificate authorities besides the system's; may be empty
};

// What a drill did to one class of traffic.
struct DrillStep {
  std::string traffic;
  std::string from;
  std::string to;     // empty: there was no other path alive
  Duration detect;    // from the cut to the verdict
  Duration switched;  // from the cut until the new path had the traffic
  int probes_lost = 0;
  bool returned = false;  // traffic came back to the first path
};

struct DrillReport {
  std::vector<DrillStep> steps;
  std::string en;  // the verdict, in words
  std::string zh;
  bool passed = false;
};

class TunnelCommands {
 public:
  using Done = std::function<void(Result<void>)>;
  using OnDrill = std::function<void(Result<DrillReport>)>;
  virtual ~TunnelCommands() = default;
  // Errors: refused (the operator says no, or it has joined already: leave first), gone (the
  // endpoint does not answer), each with what to do.
  virtual void join(const JoinWish& wish, std::string_view author, Done done) = 0;
  // The text of a wg-quick configuration. Errors: refused, with the line.
  virtual void import(std::string_view text, std::string_view author, Done done) = 0;
  virtual void rotate(std::string_view author, Done done) = 0;  // new keys, path by path
  // Nothing of it is left. Errors: refused (nodes of the settings lie in it), gone (the operator
  // could not be told).
  virtual void leave(std::string_view author, Done done) = 0;
  // Cuts the path in use for a moment, watches, and gives it back.
  // Errors: busy (one runs, or traffic is not well now), refused (nothing to fail over to).
  virtual void drill(std::string_view author, OnDrill done) = 0;
};

}  // namespace sluice::tunnel
