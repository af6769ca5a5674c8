// From the actual to the wanted state, by changes in an order in which nothing leaks. Pure.
//
// Order: unreachable defaults, removal of leftovers in the classes' tables that lead elsewhere,
// rules, links and addresses, tables of the uplinks and their rules, nexthops, groups, routes by
// groups; then removals: routes, groups, nexthops, rules, addresses, and last the unreachable
// defaults.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firmware/ports/links.h"
#include "firmware/ports/wireguard.h"
#include "firmware/tunnel/wanted.h"

namespace sluice::tunnel {

// Empty when actual is as wanted. Touches only what has kOurProtocol and addresses and state of
// slw* links. Interfaces are opened and removed by ports::WireGuard, not here. Apply in this order;
// when one fails, go on with the next, then read and compare again.
std::vector<ports::NetworkChange> difference(const Wanted& wanted,
                                             const ports::NetworkState& actual);

// slw* interfaces that exist and no wanted device has: to be removed by ports::WireGuard after the
// changes were applied.
std::vector<std::string> stray_interfaces(const Wanted& wanted, const ports::NetworkState& actual);
// "slw0".."slw15" and nothing else.
bool is_our_interface(std::string_view name);

// Nothing when the device is as wanted. `applied`: what was last applied to it by this process,
// null when nothing was. Of a preshared key the state tells only whether there is one, so another
// one is seen by `applied` alone. An endpoint that moved by itself since (the peer roamed) stays.
// A peer is updated, never made anew while it is there: sessions and counters last. One that was
// taken away (Peering::gone) begins anew.
std::optional<ports::WgChange> wg_difference(const WantedDevice& wanted,
                                             const ports::WgState& actual,
                                             const WantedDevice* applied = nullptr);

// Sets the endpoint again though it is the same: what makes a userspace data plane forget a source
// address that is gone. Nothing: no endpoint is known, or it has no peer.
std::optional<ports::WgChange> endpoint_again(const WantedDevice& wanted);

}  // namespace sluice::tunnel
