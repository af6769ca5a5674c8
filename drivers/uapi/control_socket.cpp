#include "drivers/uapi/control_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace sluice::drivers {

namespace {

constexpr int kWaitingMax = 16;  // connections that the program has not accepted yet

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address = {};
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

HeldDescriptor new_socket() {
  return HeldDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

Error refuse(const std::string& what, int code) {
  return {ErrorKind::refused, "uapi", what + ": " + std::strerror(code)};
}

}  // namespace

Result<void> make_control_folder(const std::string& folder) {
  for (size_t end = folder.find('/', 1);; end = folder.find('/', end + 1)) {
    const std::string part = folder.substr(0, end);
    const bool last = end == std::string::npos;
    if (::mkdir(part.c_str(), last ? 0700 : 0755) != 0 && errno != EEXIST) {
      return refuse("the folder " + part + " of control sockets cannot be made", errno);
    }
    if (last) return {};
  }
}

Result<HeldDescriptor> connect_to(const std::string& path) {
  const auto address = address_of(path);
  HeldDescriptor descriptor = new_socket();
  if (!address || !descriptor.is_open()) return refuse("no socket to " + path, ENAMETOOLONG);
  if (::connect(descriptor.number(), reinterpret_cast<const sockaddr*>(&*address),
                sizeof *address) == 0) {
    return descriptor;
  }
  const ErrorKind kind = errno == EAGAIN                            ? ErrorKind::busy
                         : errno == ENOENT || errno == ECONNREFUSED ? ErrorKind::gone
                                                                    : ErrorKind::refused;
  return Error{kind, "uapi", "cannot connect to " + path + ": " + std::strerror(errno)};
}

Result<HeldDescriptor> listen_at(const std::string& path) {
  const auto other = connect_to(path);
  if (other || other.error().kind != ErrorKind::gone) {
    return Error{ErrorKind::refused, "uapi",
                 "another program listens at " + path + "; end it, or take another interface name"};
  }
  const auto address = address_of(path);
  HeldDescriptor descriptor = new_socket();
  if (!address || !descriptor.is_open()) return refuse("no socket at " + path, ENAMETOOLONG);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return refuse("cannot remove " + path, errno);
  // The mode of the file that bind makes.
  if (::fchmod(descriptor.number(), 0600) != 0 ||
      ::bind(descriptor.number(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) !=
          0 ||
      ::listen(descriptor.number(), kWaitingMax) != 0) {
    return refuse("no socket can be made at " + path, errno);
  }
  return descriptor;
}

}  // namespace sluice::drivers
