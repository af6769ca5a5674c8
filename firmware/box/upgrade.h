// An upgrade in place, as the old process sees it: starts the new one, waits until it says that it
// is ready, and then gives way.
//
//   idle -> starting -> idle          it failed, or was not ready in kReadyMax: it is ended
//           starting -> handed_over   it serves; this process only finishes what it has begun
//
// The new one accepts on the same sockets before this one stops, so that nobody is refused.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "firmware/base/log.h"
#include "firmware/ports/successor.h"
#include "firmware/ports/timers.h"

namespace sluice::box {

class Upgrade {
 public:
  static constexpr Duration kReadyMax = Duration::seconds(30);

  // The process id of the new process. Errors: busy, one is under way; broken, why the new one is
  // not ready; gone, this one is to stop.
  using Done = std::function<void(Result<int>)>;

  // `on_handed_over` after `done` has heard of success.
  Upgrade(ports::Successors& successors, ports::Timers& timers, Log& log, Callback on_handed_over);

  // `done` once, in a later turn, or at once if it cannot be begun.
  void begin(ports::SuccessorSpec spec, Done done);
  // This process is to stop: the new one is told so too, and `done` hears that.
  void give_up();

 private:
  enum class State { idle, starting, handed_over };

  void move_to(State state);
  void on_report(const Result<std::string>& report);
  void on_late();
  void fail(const Error& error);

  // Fixed after construction.
  ports::Successors& successors_;
  Log& log_;
  const Callback on_handed_over_;
  std::unique_ptr<ports::Timer> late_;
  std::unique_ptr<ports::Timer> turn_;  // the process is let go of, out of its callback
  // Changes.
  State state_ = State::idle;
  std::unique_ptr<ports::Successor> successor_;
  Done done_;
};

}  // namespace sluice::box
