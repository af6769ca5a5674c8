// What must hold in the simulated world, whatever nodes, links and clients do.
//
// After every event: sense and meter count the same attempts; no attempt runs without a call and no
// call outlives its exchange; the queue keeps its bound. Where a call begins: not after the first
// byte, not for a request that is over, not to the cloud with data that stays home (Site::on_call).
// Where a request ends: once, in order, with the bytes of the node that served it (Site::close).
// Now and then: nobody waits for long while all local engines stand idle.
// At the end: nothing is left open; the ledger has each attempt once, its tokens are those that the
// nodes passed, and its money is the meter's.
#pragma once

#include <cstdint>

#include "tests/sim/site.h"

namespace sluice::sim {

class Checks {
 public:
  static constexpr Duration kIdleWhileWaitingMax = Duration::seconds(20);
  static constexpr uint64_t kTurnsPerLook = 512;  // of the looks at everything

  explicit Checks(Site& site) : site_(site) {}

  void after_turn();
  void at_end();  // all requests are over, and what was still under way has arrived

 private:
  void look_at_idle_engines();
  void check_ledger();

  Site& site_;
  uint64_t turns_ = 0;
  std::optional<Instant> idle_since_;  // somebody has waited, and a local engine has been idle
};

}  // namespace sluice::sim
