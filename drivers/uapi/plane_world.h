// What the data planes of one UserspaceWireGuard share. Callers' callbacks go through post(): in a
// later turn, in order, never inside a call.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/uapi/userspace_wireguard.h"
#include "drivers/uv/process.h"

namespace sluice::drivers {

class PlaneWorld {
 public:
  PlaneWorld(UvLoop& with_loop, const ports::Clock& with_clock, ports::Timers& with_timers,
             Log& with_log, UserspaceSpec with_spec);
  ~PlaneWorld();
  PlaneWorld(const PlaneWorld&) = delete;
  PlaneWorld& operator=(const PlaneWorld&) = delete;

  void post(Callback tell);
  // Bytes before each packet that the program at this path reads from a TUN; it is asked once.
  int packet_prefix(const std::string& program);

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
  std::optional<int> packet_prefix_;
  UvProcess::Ending ending_;
};

}  // namespace sluice::drivers
