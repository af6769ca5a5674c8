// What the kernel says of a WireGuard interface: message bodies to values. Pure. Layout:
// linux/wireguard.h. The private key that stands in a reply is not looked at; of a preshared key
// only whether there is one.
#pragma once

#include <cstdint>

#include "drivers/netlink/attributes.h"
#include "firmware/ports/wireguard.h"

namespace sluice::drivers {

// The number of a generic netlink family; 0: the body does not tell it.
uint16_t read_family(Octets body);

// One message of a dump. A peer whose addresses did not fit goes on at the start of the next
// message under the same key: its addresses are added to the last peer. A peer without a key is
// left out.
void add_to(ports::WgState& state, Octets body);

}  // namespace sluice::drivers
