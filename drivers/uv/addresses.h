// Addresses and errors of the system in the words of the ports.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/ports/streams.h"

namespace sluice::drivers {

// Longest path of a local socket (sun_path with its final zero); libuv 1.44 cuts longer ones short.
inline constexpr size_t kUnixPathMax = 107;

// A literal IPv4 or IPv6 address (with %zone if link-local); nothing for a name.
std::optional<sockaddr_storage> to_socket_address(const std::string& host, uint16_t port);
void set_port(sockaddr_storage& address, uint16_t port);
ports::Address to_address(const sockaddr_storage& address);

// "connection refused (ECONNREFUSED)".
std::string uv_reason(int code);
// Kind gone: "<what>: <reason>".
Error uv_error(std::string_view what, int code);

}  // namespace sluice::drivers
