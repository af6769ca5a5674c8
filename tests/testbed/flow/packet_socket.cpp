#include "tests/testbed/flow/packet_socket.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace sluice::testbed {

namespace {

constexpr int kBufferBytes = 1 << 20;

void set(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof(value));
}

}  // namespace

std::optional<sockaddr_in> ipv4_place(const std::string& text) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  if (colon == std::string::npos ||
      std::from_chars(text.data() + colon + 1, end, port).ptr != end ||
      ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &place.sin_addr) != 1) {
    return std::nullopt;
  }
  place.sin_port = htons(port);
  return place;
}

int open_flow_socket(const FlowSocketWish& wish, std::string* error) {
  const int kind = wish.stream ? SOCK_STREAM : SOCK_DGRAM;
  const int fd = ::socket(AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    *error = std::strerror(errno);
    return -1;
  }
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (wish.stream) {
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  } else {
    set(fd, SOL_SOCKET, SO_RCVBUF, kBufferBytes);
  }
  if (wish.dscp != 0) set(fd, IPPROTO_IP, IP_TOS, wish.dscp << 2);
  const bool marked =
      wish.mark == 0 || ::setsockopt(fd, SOL_SOCKET, SO_MARK, &wish.mark, sizeof(wish.mark)) == 0;
  if (marked &&
      ::bind(fd, reinterpret_cast<const sockaddr*>(&wish.bound), sizeof(wish.bound)) == 0) {
    return fd;
  }
  *error = std::strerror(errno);
  ::close(fd);
  return -1;
}

}  // namespace sluice::testbed
