#include "tests/testbed/listening_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace sluice::testbed {

namespace {

constexpr int kBacklog = 4096;

}  // namespace

std::optional<std::string> ListeningSocket::open(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 0;
  const char* end = address.data() + address.size();
  if (colon == std::string::npos ||
      std::from_chars(address.data() + colon + 1, end, port).ptr != end ||
      ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &bound_.sin_addr) != 1) {
    return fmt::format("{} is not an IPv4 address and a port, such as 127.0.0.1:0", address);
  }
  bound_.sin_family = AF_INET;
  bound_.sin_port = htons(port);
  return bind_and_listen();
}

std::optional<std::string> ListeningSocket::reopen() {
  return fd_ >= 0 ? std::nullopt : bind_and_listen();
}

std::optional<std::string> ListeningSocket::bind_and_listen() {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  socklen_t size = sizeof(bound_);
  sockaddr* const raw = reinterpret_cast<sockaddr*>(&bound_);
  if (::bind(fd_, raw, size) != 0 || ::listen(fd_, kBacklog) != 0 ||
      ::getsockname(fd_, raw, &size) != 0) {
    const std::string error = fmt::format("cannot listen on {}: {}", address(), strerror(errno));
    ::close(fd_);
    fd_ = -1;
    return error;
  }
  poller_.watch(fd_, EPOLLIN, *this);
  return std::nullopt;
}

void ListeningSocket::close() {
  if (fd_ < 0) return;
  poller_.forget(fd_);
  ::close(fd_);
  fd_ = -1;
}

std::string ListeningSocket::address() const {
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &bound_.sin_addr, text, sizeof(text));
  return fmt::format("{}:{}", text, ntohs(bound_.sin_port));
}

void ListeningSocket::on_ready(std::uint32_t) {
  while (fd_ >= 0) {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    owner_.on_accept(fd);
  }
}

}  // namespace sluice::testbed
