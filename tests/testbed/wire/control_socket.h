// Commands to the wire: a unix datagram each, answered to the sender's address, if it has one.
#pragma once

#include <optional>
#include <string>

#include "tests/testbed/poller.h"
#include "tests/testbed/wire/wire.h"

namespace sluice::testbed {

class ControlSocket : public Pollable {
 public:
  static constexpr std::size_t kCommandMax = 4096;

  ControlSocket(Poller& poller, Wire& wire) : poller_(poller), wire_(wire) {}
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  std::optional<std::string> open(const std::string& path);  // an error text
  void on_ready(std::uint32_t epoll_events) override;

 private:
  Poller& poller_;
  Wire& wire_;
  int fd_ = -1;
  std::string path_;
};

}  // namespace sluice::testbed
