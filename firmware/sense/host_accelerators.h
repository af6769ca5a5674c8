// The observation of this machine's accelerators through one source: a look at a time, off the
// loop, at a steady pace; with wider gaps while the source has nothing to tell. A look that does
// not come back is said, and none is begun beside it.
//
// stopped -> waiting   start()
// waiting -> looking   the next look is due
// looking -> waiting   it came back
// any     -> stopped   stop(); a look that comes back later is not heard
#pragma once

#include <memory>

#include "firmware/ports/accelerators.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/timers.h"
#include "firmware/ports/work.h"
#include "firmware/sense/accelerator_belief.h"

namespace sluice::sense {

struct HostLookTimes {
  Duration gap = Duration::seconds(1);
  Duration gap_max = Duration::seconds(60);  // while it has nothing to tell
  Duration stale_after = Duration::seconds(3);
  Duration late = Duration::seconds(3);  // a look that takes longer is said to hang
};

struct HostAcceleratorPorts {
  ports::Work& work;
  ports::Timers& timers;
  const ports::Clock& clock;
};

class HostAccelerators {
 public:
  // `on_change`: the source's state is another one, or a device is no longer well, or is again.
  // Never called inside start() or stop(); it may not destroy this.
  HostAccelerators(HostAcceleratorPorts ports, std::shared_ptr<ports::Accelerators> source,
                   HostLookTimes times, Callback on_change);
  ~HostAccelerators();
  HostAccelerators(const HostAccelerators&) = delete;
  HostAccelerators& operator=(const HostAccelerators&) = delete;

  void start();
  void stop();
  AcceleratorSourceReport report(Instant now) const;

 private:
  enum class State { stopped, waiting, looking };
  struct Errand;  // one look: what the worker and the loop hand each other

  void move_to(State next);
  void on_due();
  void begin_look();
  void on_back(const ports::AcceleratorLook& look);

  // Fixed after construction.
  const HostAcceleratorPorts ports_;
  std::shared_ptr<ports::Accelerators> source_;  // const otherwise; handed on at the end
  const HostLookTimes times_;
  const Callback on_change_;

  // Changes.
  State state_ = State::stopped;
  AcceleratorBelief belief_;
  std::unique_ptr<ports::Timer> timer_;
  std::shared_ptr<Errand> errand_;
  int failures_ = 0;
  size_t unwell_ = 0;
};

}  // namespace sluice::sense
