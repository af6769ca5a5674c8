// A listening TCP socket that can be closed and opened again on the same port.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>

#include "tests/testbed/poller.h"

namespace sluice::testbed {

class SocketOwner {
 public:
  virtual void on_accept(int fd) = 0;  // non-blocking; owned by the callee

 protected:
  ~SocketOwner() = default;
};

class ListeningSocket : public Pollable {
 public:
  ListeningSocket(Poller& poller, SocketOwner& owner) : poller_(poller), owner_(owner) {}
  ~ListeningSocket() override { close(); }

  // "127.0.0.1:0": an IPv4 address and a port; an error text when it cannot be had.
  std::optional<std::string> open(const std::string& address);
  void close();
  std::optional<std::string> reopen();  // does nothing when open
  std::string address() const;

  void on_ready(std::uint32_t epoll_events) override;

 private:
  std::optional<std::string> bind_and_listen();

  Poller& poller_;
  SocketOwner& owner_;
  int fd_ = -1;
  sockaddr_in bound_{};
};

}  // namespace sluice::testbed
