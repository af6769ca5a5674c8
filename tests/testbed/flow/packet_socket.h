// IPv4 addresses and sockets of a test flow.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::testbed {

std::optional<sockaddr_in> ipv4_place(const std::string& text);  // "10.88.0.50:7000"

struct FlowSocketWish {
  bool stream = false;
  sockaddr_in bound{};     // port 0: any
  std::uint32_t mark = 0;  // SO_MARK
  int dscp = 0;
};

// Non-blocking; an error text goes to `error`, then the result is -1.
int open_flow_socket(const FlowSocketWish& wish, std::string* error);

}  // namespace sluice::testbed
