// The far end of test flows: sends back what comes, by UDP and by TCP; swallows what comes on the
// next UDP port.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/testbed/flow/packet_socket.h"
#include "tests/testbed/listening_socket.h"
#include "tests/testbed/poller.h"

namespace sluice::testbed {

class FlowEcho : private SocketOwner {
 public:
  explicit FlowEcho(Poller& poller) : poller_(poller), listener_(poller, *this), udp_(*this) {}
  virtual ~FlowEcho();
  FlowEcho(const FlowEcho&) = delete;
  FlowEcho& operator=(const FlowEcho&) = delete;

  std::optional<std::string> open(const std::string& place);  // an error text

 private:
  static constexpr std::size_t kConnectionsMax = 1024;

  struct Datagrams : Pollable {
    explicit Datagrams(FlowEcho& echo) : owner(echo) {}
    void on_ready(std::uint32_t epoll_events) override;
    FlowEcho& owner;
    int fd = -1;
    int sink_fd = -1;
  };
  struct Connection : Pollable {
    Connection(FlowEcho& echo, int socket) : owner(echo), fd(socket) {}
    ~Connection() override;
    void on_ready(std::uint32_t epoll_events) override;
    FlowEcho& owner;
    int fd;
    std::string rest;  // not taken by the other side yet; nothing more is read until it is
  };
  void on_accept(int fd) override;
  void end(int fd) { connections_.erase(fd); }

  Poller& poller_;
  ListeningSocket listener_;
  Datagrams udp_;
  std::map<int, std::unique_ptr<Connection>> connections_;
};

}  // namespace sluice::testbed
