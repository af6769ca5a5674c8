// The system's programs, run to their end. They get nothing of ours: no descriptor but their
// standard ones, PATH and LC_ALL=C as environment, signals as they are by default.
// Lifetime: runs end before the programs, these before the loop and `timers`.
#pragma once

#include <memory>
#include <vector>

#include "drivers/uv/loop.h"
#include "drivers/uv/process.h"
#include "firmware/ports/programs.h"
#include "firmware/ports/timers.h"

namespace sluice::drivers {

class UvPrograms final : public ports::Programs {
 public:
  UvPrograms(UvLoop& loop, ports::Timers& timers) : loop_(loop), timers_(timers) {}
  std::unique_ptr<ports::ProgramRun> run(ports::ProgramSpec spec, Done done) override;

 private:
  UvLoop& loop_;
  ports::Timers& timers_;
  UvProcess::Ending ending_;  // killed, and not yet seen to end
};

}  // namespace sluice::drivers
