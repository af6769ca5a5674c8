// What systemd, or who speaks its language, hears and hands over. Protocols: sd_notify(3),
// sd_listen_fds(3). Nothing happens where nobody listens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::drivers {

// One datagram to NOTIFY_SOCKET, e.g. "READY=1". Never waits.
void notify_service_manager(std::string_view state);

// "READY=1" and who this process is: after an upgrade it is another one.
std::string ready_state();

// "RELOADING=1", and when it began, by the clock that both read; READY=1 ends it.
std::string reloading_state();

struct ActivatedSocket {
  std::string name;  // of LISTEN_FDNAMES
  int descriptor = -1;
};

// Sockets that listen already, at most kActivatedMax; and forgets about them, so that no child
// believes they are its own.
inline constexpr int kActivatedMax = 16;
std::vector<ActivatedSocket> take_activated_sockets();

}  // namespace sluice::drivers
