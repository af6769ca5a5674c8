#include "tests/testbed/wire/control_socket.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::testbed {

ControlSocket::~ControlSocket() {
  if (fd_ < 0) return;
  poller_.forget(fd_);
  ::close(fd_);
  ::unlink(path_.c_str());
}

std::optional<std::string> ControlSocket::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fmt::format("{}: longer than the {} characters of a socket's path", path,
                       sizeof(address.sun_path) - 1);
  }
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const std::string error = fmt::format("{}: {}", path, std::strerror(errno));
    if (fd >= 0) ::close(fd);
    return error;
  }
  fd_ = fd;
  path_ = path;
  poller_.watch(fd_, EPOLLIN, *this);
  return std::nullopt;
}

void ControlSocket::on_ready(std::uint32_t) {
  std::array<char, kCommandMax> buffer;
  sockaddr_un from{};
  socklen_t length = sizeof(from);
  const ssize_t size =
      ::recvfrom(fd_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
  if (size < 0) return;
  const std::string answer =
      wire_.obey(std::string(buffer.data(), static_cast<std::size_t>(size))).dump();
  if (length <= sizeof(sa_family_t)) return;  // who asked has no address
  ::sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
}

}  // namespace sluice::testbed
