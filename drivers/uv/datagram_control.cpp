#include "drivers/uv/datagram_control.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <cerrno>
#include <cstring>
#include <ctime>
// After <ctime>: it names timespec and does not declare it.
#include <linux/errqueue.h>

#include "drivers/uv/outbound.h"

namespace sluice::drivers {

namespace {

bool is_hops_ended(const sock_extended_err& told) {
  if (told.ee_origin == SO_EE_ORIGIN_ICMP) {
    return told.ee_type == ICMP_TIME_EXCEEDED && told.ee_code == ICMP_EXC_TTL;
  }
  return told.ee_type == ICMP6_TIME_EXCEEDED && told.ee_code == ICMP6_TIME_EXCEED_TRANSIT;
}

Error error_of(const sock_extended_err& told) {
  if (told.ee_errno == EMSGSIZE) {
    return {ErrorKind::refused, "uv",
            "too large for the path, which carries packets of " + std::to_string(told.ee_info) +
                " bytes"};
  }
  return {ErrorKind::gone, "uv", std::strerror(static_cast<int>(told.ee_errno))};
}

}  // namespace

std::optional<Date> arrival_stamp_of(const msghdr& message) {
  auto* mutable_message = const_cast<msghdr*>(&message);  // what CMSG_NXTHDR asks for
  for (cmsghdr* at = CMSG_FIRSTHDR(mutable_message); at != nullptr;
       at = CMSG_NXTHDR(mutable_message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp = {};
    std::memcpy(&stamp, CMSG_DATA(at), sizeof stamp);
    return Date::from_us(stamp.tv_sec * int64_t{1000000} + stamp.tv_nsec / 1000);
  }
  return std::nullopt;
}

std::optional<Undelivered> undelivered_of(const msghdr& message) {
  auto* mutable_message = const_cast<msghdr*>(&message);
  for (cmsghdr* at = CMSG_FIRSTHDR(mutable_message); at != nullptr;
       at = CMSG_NXTHDR(mutable_message, at)) {
    const bool v4 = at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR;
    const bool v6 = at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR;
    const size_t by_size = v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if ((!v4 && !v6) || at->cmsg_len < CMSG_LEN(sizeof(sock_extended_err) + by_size)) continue;
    sock_extended_err told = {};
    std::memcpy(&told, CMSG_DATA(at), sizeof told);
    if (told.ee_origin != SO_EE_ORIGIN_ICMP && told.ee_origin != SO_EE_ORIGIN_ICMP6) continue;
    sockaddr_storage by = {};
    std::memcpy(&by, CMSG_DATA(at) + sizeof told, by_size);
    return Undelivered{to_endpoint(by).address, is_hops_ended(told), error_of(told)};
  }
  return std::nullopt;
}

}  // namespace sluice::drivers
