#include "drivers/uv/outbound.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::drivers {

namespace {

constexpr int kDscpShift = 2;  // the two bits below are ECN, RFC 3168

Error way_error(const std::string& what, int code) {
  const ErrorKind kind =
      code == ENODEV || code == ENXIO || code == ENETDOWN ? ErrorKind::gone : ErrorKind::refused;
  return {kind, "uv", what + ": " + std::strerror(code)};
}

Result<void> set_interface(int descriptor, const std::string& interface) {
  if (interface.empty()) return {};
  if (::setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, interface.data(),
                   static_cast<socklen_t>(interface.size())) == 0) {
    return {};
  }
  return way_error("a socket cannot be bound to the interface " + interface, errno);
}

Result<void> set_mark(int descriptor, uint32_t mark) {
  if (mark == 0) return {};
  if (::setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0) return {};
  return way_error("packets cannot be marked (that needs CAP_NET_ADMIN)", errno);
}

Result<void> set_dscp(int descriptor, IpAddress::Family family, uint8_t dscp) {
  if (dscp == 0) return {};
  const int octet = (dscp & 63) << kDscpShift;
  const bool v4 = family == IpAddress::Family::v4;
  if (::setsockopt(descriptor, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &octet,
                   sizeof octet) == 0) {
    return {};
  }
  return way_error("the DSCP of packets cannot be set", errno);
}

}  // namespace

sockaddr_storage to_socket_address(const IpEndpoint& at, const std::string& interface) {
  sockaddr_storage out = {};
  if (at.address.family == IpAddress::Family::v4) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(at.port);
    std::memcpy(&v4->sin_addr, at.address.bytes.data(), sizeof v4->sin_addr);
    return out;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(at.port);
  std::memcpy(&v6->sin6_addr, at.address.bytes.data(), sizeof v6->sin6_addr);
  if (at.address.is_link_local() && !interface.empty()) {
    v6->sin6_scope_id = ::if_nametoindex(interface.c_str());
  }
  return out;
}

socklen_t socket_address_size(const sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

IpEndpoint to_endpoint(const sockaddr_storage& address) {
  IpEndpoint out;
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    out.address.family = IpAddress::Family::v6;
    out.port = ntohs(v6->sin6_port);
    std::memcpy(out.address.bytes.data(), &v6->sin6_addr, sizeof v6->sin6_addr);
  } else {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    out.port = ntohs(v4->sin_port);
    std::memcpy(out.address.bytes.data(), &v4->sin_addr, sizeof v4->sin_addr);
  }
  return out;
}

Result<void> set_way(int descriptor, IpAddress::Family family, const ports::OutboundWay& way) {
  if (auto done = set_interface(descriptor, way.interface); !done) return done;
  if (auto done = set_mark(descriptor, way.mark); !done) return done;
  return set_dscp(descriptor, family, way.dscp);
}

Result<void> set_way_and_source(int descriptor, IpAddress::Family family,
                                const ports::OutboundWay& way, uint16_t port) {
  if (auto done = set_way(descriptor, family, way); !done) return done;
  int type = 0;
  socklen_t type_size = sizeof type;
  ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &type_size);
  if (!way.source && port == 0 && type == SOCK_STREAM) return {};
  const IpAddress source = way.source.value_or(IpAddress::any(family));
  if (source.family != family) {
    return Error{ErrorKind::refused, "uv", source.text() + " is of the other address family"};
  }
  const int late = port == 0 && type == SOCK_STREAM ? 1 : 0;
  ::setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
  const sockaddr_storage from = to_socket_address({source, port}, way.interface);
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&from), socket_address_size(from)) ==
      0) {
    return {};
  }
  return way_error("cannot send from " + IpEndpoint{source, port}.text(), errno);
}

}  // namespace sluice::drivers
