// WireGuard carried by a program beside the daemon (wireguard-go): for machines whose kernel has
// none. The daemon makes the TUN interface and the control socket and hands both to the program,
// so that they stay when it dies; then it is started anew at once. Source of the protocol:
// wireguard.com/xplatform, "Cross-platform userspace implementation".
//
// An interface outlives the daemon, and so does the program: open() takes over what runs.
// Destroying this ends nothing; remove() does.
// Lifetime: ends before the loop, `clock`, `timers` and the events' sink.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "drivers/uv/loop.h"
#include "firmware/base/log.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/timers.h"
#include "firmware/ports/wireguard.h"

namespace sluice::drivers {

class DataPlane;
class PlaneWorld;

struct UserspaceSpec {
  std::string program = "wireguard-go";  // a name, or a path
  // Where control sockets and pid files are. wg(8) and wireguard-go itself look into this one only.
  // Network namespaces of one machine share it, unless each has a mount of its own there.
  std::string folder = "/var/run/wireguard";
  std::string tun_device = "/dev/net/tun";
  // Of the program to a request, and after its start; then it is started anew.
  Duration answer_time_max = Duration::seconds(5);
};

// Whether this machine can do it; changes nothing. Errors: unsupported (what is missing, and what
// to do), refused (no permission).
Result<void> userspace_possible(const UserspaceSpec& spec = {});

class UserspaceWireGuard final : public ports::WireGuard {
 public:
  UserspaceWireGuard(UvLoop& loop, const ports::Clock& clock, ports::Timers& timers, Log& log,
                     UserspaceSpec spec = {});
  ~UserspaceWireGuard() override;
  UserspaceWireGuard(const UserspaceWireGuard&) = delete;
  UserspaceWireGuard& operator=(const UserspaceWireGuard&) = delete;

  // One at most; null = none. It must outlive this or be taken away.
  void watch(ports::WgEvents* events);

  std::string_view backend() const override { return "userspace"; }
  void open(const std::string& interface, Done done) override;
  // After an error earlier lines of the change may have taken effect: read, and apply again.
  void change(ports::WgChange change, Done done) override;
  void read(const std::string& interface, OnState done) override;
  void remove(const std::string& interface, Done done) override;

 private:
  DataPlane* find(const std::string& interface);
  DataPlane& plane(const std::string& interface);

  std::unique_ptr<PlaneWorld> world_;  // what every data plane needs
  std::map<std::string, std::unique_ptr<DataPlane>> planes_;
};

}  // namespace sluice::drivers
