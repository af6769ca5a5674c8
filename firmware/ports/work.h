// Work off the loop thread. A job gets values and returns values: it shares nothing.
#pragma once

#include "firmware/base/callback.h"

namespace sluice::ports {

class Work {
 public:
  virtual ~Work() = default;
  // `job` runs on a worker thread, `done` later on the loop thread. Jobs may run side by side;
  // who needs an order starts the next one in `done`. At the end of the program the owner of the
  // Work waits for running jobs.
  virtual void run(Callback job, Callback done) = 0;
};

}  // namespace sluice::ports
