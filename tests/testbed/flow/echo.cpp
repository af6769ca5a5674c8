#include "tests/testbed/flow/echo.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace sluice::testbed {

namespace {

constexpr std::size_t kReadBytes = 65536;
constexpr int kDatagramsPerTurn = 64;

}  // namespace

FlowEcho::~FlowEcho() {
  for (const int fd : {udp_.fd, udp_.sink_fd}) {
    if (fd < 0) continue;
    poller_.forget(fd);
    ::close(fd);
  }
}

std::optional<std::string> FlowEcho::open(const std::string& place) {
  const auto bound = ipv4_place(place);
  if (!bound) return place + " is not an IPv4 address and a port";
  std::string error;
  FlowSocketWish wish;
  wish.bound = *bound;
  udp_.fd = open_flow_socket(wish, &error);
  if (udp_.fd < 0) return place + ": " + error;
  wish.bound.sin_port = htons(static_cast<std::uint16_t>(ntohs(bound->sin_port) + 1));
  udp_.sink_fd = open_flow_socket(wish, &error);
  if (udp_.sink_fd < 0) return place + " and the next port: " + error;
  poller_.watch(udp_.fd, EPOLLIN, udp_);
  poller_.watch(udp_.sink_fd, EPOLLIN, udp_);
  return listener_.open(place);
}

void FlowEcho::Datagrams::on_ready(std::uint32_t) {
  std::array<char, kReadBytes> buffer;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    sockaddr_in from{};
    socklen_t length = sizeof(from);
    auto* address = reinterpret_cast<sockaddr*>(&from);
    const ssize_t size = ::recvfrom(fd, buffer.data(), buffer.size(), 0, address, &length);
    if (size < 0) break;
    ::sendto(fd, buffer.data(), static_cast<std::size_t>(size), 0, address, length);
  }
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    if (::recv(sink_fd, buffer.data(), buffer.size(), 0) < 0) break;
  }
}

void FlowEcho::on_accept(int fd) {
  if (connections_.size() >= kConnectionsMax) {
    ::close(fd);
    return;
  }
  auto& connection = connections_[fd];
  connection = std::make_unique<Connection>(*this, fd);
  poller_.watch(fd, EPOLLIN, *connection);
}

FlowEcho::Connection::~Connection() {
  owner.poller_.forget(fd);
  ::close(fd);
}

void FlowEcho::Connection::on_ready(std::uint32_t) {
  if (rest.empty()) {
    std::array<char, kReadBytes> buffer;
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return owner.end(fd);
    rest.assign(buffer.data(), static_cast<std::size_t>(size));
  }
  const ssize_t sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return owner.end(fd);
  if (sent > 0) rest.erase(0, static_cast<std::size_t>(sent));
  owner.poller_.change(fd, rest.empty() ? EPOLLIN : EPOLLOUT);
}

}  // namespace sluice::testbed
