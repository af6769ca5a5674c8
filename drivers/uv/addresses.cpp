#include "drivers/uv/addresses.h"

#include <netinet/in.h>
#include <uv.h>

#include <array>

namespace sluice::drivers {

std::optional<sockaddr_storage> to_socket_address(const std::string& host, uint16_t port) {
  sockaddr_storage address = {};
  if (uv_ip4_addr(host.c_str(), port, reinterpret_cast<sockaddr_in*>(&address)) == 0) {
    return address;
  }
  address = {};
  if (uv_ip6_addr(host.c_str(), port, reinterpret_cast<sockaddr_in6*>(&address)) == 0) {
    return address;
  }
  return std::nullopt;
}

void set_port(sockaddr_storage& address, uint16_t port) {
  if (address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&address)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&address)->sin_port = htons(port);
  }
}

ports::Address to_address(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  ports::Address out;
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    uv_ip6_name(v6, text.data(), text.size());
    out.port = ntohs(v6->sin6_port);
  } else if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    uv_ip4_name(v4, text.data(), text.size());
    out.port = ntohs(v4->sin_port);
  }
  out.host = text.data();
  return out;
}

std::string uv_reason(int code) {
  return std::string(uv_strerror(code)) + " (" + uv_err_name(code) + ")";
}

Error uv_error(std::string_view what, int code) {
  return {ErrorKind::gone, "uv", std::string(what) + ": " + uv_reason(code)};
}

}  // namespace sluice::drivers
