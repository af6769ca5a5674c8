// Waiting, on the loop thread.
#pragma once

#include <memory>

#include "firmware/base/callback.h"
#include "firmware/base/time.h"

namespace sluice::ports {

// Destroying a Timer cancels it, also from inside its own callback.
class Timer {
 public:
  virtual ~Timer() = default;
  // Fires once, `after` from now; zero = in a later turn of the loop, never inside this call.
  // A running timer starts anew.
  virtual void start(Duration after) = 0;
  virtual void stop() = 0;
  virtual bool is_running() const = 0;
};

class Timers {
 public:
  virtual ~Timers() = default;
  virtual std::unique_ptr<Timer> make(Callback on_fire) = 0;  // not running
};

}  // namespace sluice::ports
