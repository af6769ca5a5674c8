#include "drivers/os/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

#include "drivers/os/descriptor.h"
#include "drivers/os/environment.h"

namespace sluice::drivers {

namespace {

constexpr int kFirstActivated = 3;  // SD_LISTEN_FDS_START

int number_of(const std::optional<std::string>& text) {
  int number = -1;
  if (!text) return number;
  const char* end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, number);
  return read.ec == std::errc() && read.ptr == end ? number : -1;
}

}  // namespace

void notify_service_manager(std::string_view state) {
  const std::optional<std::string> path = environment("NOTIFY_SOCKET");
  sockaddr_un address = {};
  if (!path || path->size() < 2 || path->size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path->data(), path->size());
  if (path->front() == '@') address.sun_path[0] = '\0';  // an abstract name
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path->size());
  (void)::sendto(socket.number(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), size);
}

std::string ready_state() { return "READY=1\nMAINPID=" + std::to_string(::getpid()); }

std::string reloading_state() {
  timespec now = {};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t us = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
  return "RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us);
}

std::vector<ActivatedSocket> take_activated_sockets() {
  const bool for_us = number_of(environment("LISTEN_PID")) == ::getpid();
  const int count = number_of(environment("LISTEN_FDS"));
  std::string names = environment("LISTEN_FDNAMES").value_or("");
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  std::vector<ActivatedSocket> sockets;
  if (!for_us || count < 1 || count > kActivatedMax) return sockets;
  for (int i = 0; i < count; ++i) {
    const size_t end = names.find(':');
    sockets.push_back({names.substr(0, end), kFirstActivated + i});
    names = end == std::string::npos ? "" : names.substr(end + 1);
  }
  return sockets;
}

}  // namespace sluice::drivers
