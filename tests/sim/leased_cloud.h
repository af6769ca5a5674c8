// Leased capacity in the simulated world: the real firmware/capacity, a platform that leases
// instances (lease_platform.h), and the instances themselves: engines behind a link that exist for
// the valve only while their lease serves.
#pragma once

#include <map>
#include <string>

#include "firmware/capacity/leases.h"
#include "tests/sim/chance.h"
#include "tests/sim/lease_platform.h"
#include "tests/testbed/step_cost.h"

namespace sluice::sim {

class Site;

struct LeaseSpec {
  capacity::LeasePolicy policy;
  ports::LeaseOffer offer;   // its model is filled in
  testbed::StepCost engine;  // of one instance
  LeasePlatformFaults faults;
};

class LeasedCloud final : private capacity::LeasedNodes {
 public:
  // The site has a node of the name leased_name(i) for each lease at a time, disabled.
  LeasedCloud(Site& site, const LeaseSpec& spec, ports::Files& files, Log& log);

  static std::string leased_name(int index);  // from 0; as capacity::Leases names them

  // Tokens that went to some cloud node, and what the cheapest that is paid per token asks for one.
  void note(int64_t prompt, int64_t output, int64_t price_in_nano, int64_t price_out_nano);
  void look();  // now and then: which instances answer

  const SimLeasePlatform& platform() const { return platform_; }
  SimLeasePlatform& platform() { return platform_; }
  const capacity::Leases& leases() const { return leases_; }
  // Billed so far, of all instances together.
  Duration leased_time() const;

 private:
  void on_lease_serves(const capacity::LeasedNode& node) override;
  void on_lease_leaves(const std::string& node) override;
  int in_flight(const std::string& node) const override;
  Duration silent(const std::string& node) const override;

  Site& site_;
  Chance platform_chance_;
  Chance chance_;
  SimLeasePlatform platform_;
  capacity::Leases leases_;
  std::map<std::string, Instant> answered_;  // last, by node, while it serves
};

}  // namespace sluice::sim
