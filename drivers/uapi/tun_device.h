// TUN interfaces by ioctl: rtnetlink cannot make them. Source: Documentation/networking/tuntap.
// One that is persistent outlives every program that has it open; it has a carrier while one does.
#pragma once

#include <string>

#include "drivers/uv/held_descriptor.h"
#include "firmware/base/result.h"

namespace sluice::drivers {

bool is_interface_name(const std::string& name);  // one that the kernel and a file name can be
bool interface_exists(const std::string& name);

// Whether this process may make interfaces; changes nothing.
// Errors: unsupported, refused; each says what to do.
Result<void> tun_possible(const std::string& device);

// Attaches to the interface, and makes it if it is not there. `packet_prefix`: each packet stands
// behind four bytes (no IFF_NO_PI).
// Errors: refused (the name is another thing's, or another program carries it), unsupported.
Result<HeldDescriptor> attach_tun(const std::string& device, const std::string& interface,
                                  bool packet_prefix);
bool is_tun_of(const HeldDescriptor& tun, const std::string& interface);
bool set_persistent(const HeldDescriptor& tun, bool persistent);

int interface_mtu(const std::string& interface);  // 0: not known
void set_interface_mtu(const std::string& interface, int mtu);

}  // namespace sluice::drivers
