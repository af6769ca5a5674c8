// What may be read of leased capacity.
#pragma once

#include <string>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"

namespace sluice::capacity {

struct LeaseReport {
  std::string lease;
  std::string node;  // its name among the nodes, while it serves
  std::string model;
  std::string state;
  std::string why;
  Money price_per_hour;
  Date opened;  // billed from here; the beginning of time: not yet
  bool waits_for_consent = false;
};

struct CapacityReport {
  std::vector<LeaseReport> leases;
  int starts_today = 0;  // in the last 24 hours
  int starts_per_day_max = 0;
  bool platform_reachable = true;
  std::string trouble;  // one sentence; empty: none
};

class CapacityView {
 public:
  virtual ~CapacityView() = default;
  virtual CapacityReport report() const = 0;
};

}  // namespace sluice::capacity
