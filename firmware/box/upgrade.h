// An upgrade in place, as the old process sees it: starts the new one, waits until it says that it
// is ready, and then gives way.
//
//   idle -> starting -> idle          it failed, or was not ready in kReadyMax: it is ended
//           starting -> handed_over   it serves; this process only finishes what it has begun
//           starting -> giving_up     this process is to stop: the new one is asked to end too, and
//                                     killed if it has neither ended nor served when this one ends
//
// The new one accepts on the same sockets before this one stops, so that nobody is refused.
// While this one still finishes it watches the new one: should that be lost (killed, crashed), the
// program is started again, which opens the sockets anew; a supervisor cannot, as long as this one
// is there.
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
  static constexpr Duration kStartAgainAfter = Duration::ms(500);
  static constexpr int kStartsAgainMax = 5;

  // The process id of the new process. Errors: busy, one is under way; broken, why the new one is
  // not ready; gone, this one is to stop.
  using Done = std::function<void(Result<int>)>;

  // `on_handed_over` after `done` has heard of success; `on_abandoned` when the new process was
  // lost and could not be started again: nobody serves.
  Upgrade(ports::Successors& successors, ports::Timers& timers, Log& log, Callback on_handed_over,
          Callback on_abandoned);
  ~Upgrade();
  Upgrade(const Upgrade&) = delete;
  Upgrade& operator=(const Upgrade&) = delete;

  // `done` once, in a later turn, or at once if it cannot be begun.
  void begin(ports::SuccessorSpec spec, Done done);
  // This process is to stop: the new one is told so too, and `done` hears that. After the handover
  // the new one is watched no more.
  void give_up();

 private:
  enum class State { idle, starting, handed_over, giving_up };

  void move_to(State state);
  void on_report(const Result<std::string>& report);
  void on_late();
  void on_lost(const Error& how);
  void start_again();
  void fail(const Error& error);

  // Fixed after construction.
  ports::Successors& successors_;
  Log& log_;
  const Callback on_handed_over_;
  const Callback on_abandoned_;
  std::unique_ptr<ports::Timer> late_;
  std::unique_ptr<ports::Timer> turn_;   // the process is let go of, out of its callback
  std::unique_ptr<ports::Timer> again_;  // the lost one is started again
  // Changes.
  State state_ = State::idle;
  std::unique_ptr<ports::Successor> successor_;
  ports::SuccessorSpec plain_;  // the program as it is started without a handover
  int starts_again_ = 0;
  bool watches_ = true;
  Done done_;
};

}  // namespace sluice::box
