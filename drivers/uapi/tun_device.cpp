#include "drivers/uapi/tun_device.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::drivers {

namespace {

Error error(ErrorKind kind, std::string text) { return {kind, "uapi", std::move(text)}; }

Error no_permission() {
  return error(ErrorKind::refused,
               "no permission to make network interfaces: the daemon needs CAP_NET_ADMIN");
}

Result<HeldDescriptor> open_device(const std::string& device) {
  HeldDescriptor tun(::open(device.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (tun.is_open()) return tun;
  if (errno == EACCES || errno == EPERM) {
    return error(ErrorKind::refused, "no permission to open " + device +
                                         ": run the daemon as a user that may, with CAP_NET_ADMIN");
  }
  return error(ErrorKind::unsupported,
               device + " is missing (" + std::strerror(errno) + "): load the tun module");
}

ifreq request_for(const std::string& interface) {
  ifreq request = {};
  std::memcpy(request.ifr_name, interface.data(), interface.size());  // shorter: is_interface_name
  return request;
}

bool has_net_admin() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets = {};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
  return (sets[CAP_NET_ADMIN / 32].effective >> (CAP_NET_ADMIN % 32) & 1) != 0;
}

HeldDescriptor control() { return HeldDescriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

}  // namespace

bool is_interface_name(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..") return false;
  for (const char c : name) {
    if (c <= ' ' || c >= 0x7f || c == '/' || c == ':' || c == '%') return false;
  }
  return true;
}

bool interface_exists(const std::string& name) { return ::if_nametoindex(name.c_str()) != 0; }

Result<void> tun_possible(const std::string& device) {
  const auto tun = open_device(device);
  if (!tun) return tun.error();
  if (!has_net_admin()) return no_permission();
  return {};
}

Result<HeldDescriptor> attach_tun(const std::string& device, const std::string& interface,
                                  bool packet_prefix) {
  auto tun = open_device(device);
  if (!tun) return tun;
  ifreq request = request_for(interface);
  request.ifr_flags = static_cast<short>(IFF_TUN | (packet_prefix ? 0 : IFF_NO_PI));
  if (::ioctl(tun->number(), TUNSETIFF, &request) == 0) return tun;
  switch (errno) {
    case EPERM:
      return no_permission();
    case EBUSY:
      return error(ErrorKind::refused, "the interface " + interface +
                                           " is carried by another program; end that one first");
    case EINVAL:
      return error(ErrorKind::refused, "the interface " + interface +
                                           " belongs to something else; rename or remove it");
    default:
      return error(ErrorKind::refused,
                   "the interface " + interface + " cannot be made: " + std::strerror(errno));
  }
}

bool is_tun_of(const HeldDescriptor& tun, const std::string& interface) {
  ifreq request = {};
  if (::ioctl(tun.number(), TUNGETIFF, &request) != 0) return false;
  return interface == request.ifr_name;
}

bool set_persistent(const HeldDescriptor& tun, bool persistent) {
  return ::ioctl(tun.number(), TUNSETPERSIST, persistent ? 1UL : 0UL) == 0;
}

int interface_mtu(const std::string& interface) {
  ifreq request = request_for(interface);
  return ::ioctl(control().number(), SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
}

void set_interface_mtu(const std::string& interface, int mtu) {
  ifreq request = request_for(interface);
  request.ifr_mtu = mtu;
  ::ioctl(control().number(), SIOCSIFMTU, &request);
}

}  // namespace sluice::drivers
