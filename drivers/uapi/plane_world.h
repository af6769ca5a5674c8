// What the data planes of one UserspaceWireGuard share. Callers' callbacks go through post(): in a
// later turn, in order, never inside a call.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "drivers/uapi/program_version.h"
#include "drivers/uapi/userspace_wireguard.h"

namespace sluice::drivers {

class PlaneWorld {
 public:
  PlaneWorld(UvLoop& with_loop, const ports::Clock& with_clock, ports::Timers& with_timers,
             Log& with_log, UserspaceSpec with_spec);
  ~PlaneWorld();
  PlaneWorld(const PlaneWorld&) = delete;
  PlaneWorld& operator=(const PlaneWorld&) = delete;

  void post(Callback tell);
  ProgramVersion& version() { return version_; }

  UvLoop& loop;
  const ports::Clock& clock;
  ports::Timers& timers;
  Log& log;
  const UserspaceSpec spec;
  ports::WgEvents* events = nullptr;

 private:
  void deliver();

  std::vector<Callback> posted_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<ports::Timer> turn_;
  ProgramVersion version_;
};

}  // namespace sluice::drivers
