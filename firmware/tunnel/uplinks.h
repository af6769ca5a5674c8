// The site's ways to the internet, seen in the machine's network. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/ports/links.h"
#include "firmware/tunnel/names.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

struct UplinkSetting {
  std::string name;
  std::string interface;
  bool metered = false;
  int preference = 0;  // less is better
};

struct UplinkSeen {
  int number = 0;  // 0..kUplinksMax-1: its mark and table. Stays as long as the name.
  std::string name;
  std::string interface;
  bool metered = false;
  int preference = 0;
  int link = 0;  // index; 0: there is no such interface
  bool up = false;
  bool carrier = false;
  int mtu = 0;
  std::vector<IpPrefix> addresses;  // global scope
  bool has_default4 = false;
  bool has_default6 = false;
  std::optional<IpAddress> gateway4;  // nothing with a default: point to point
  std::optional<IpAddress> gateway6;
  Words trouble;  // why it cannot carry anything; empty: it can, in at least one family

  bool carries(IpAddress::Family family) const;
  bool operator==(const UplinkSeen&) const = default;
};

// Those configured, in that order, whatever state they are in. Without any configured: every
// interface that is not ours and has a default route in the main table, least metric first, and
// those of `before` that had one: an uplink that lost its route is told of, not forgotten.
// `before`: what this returned last, empty at start; numbers stay.
std::vector<UplinkSeen> uplinks_seen(const ports::NetworkState& network,
                                     const std::vector<UplinkSetting>& settings,
                                     const std::vector<UplinkSeen>& before = {});

enum class UplinkEvent {
  appeared,
  vanished,      // the interface is gone
  carrier_lost,  // or set down
  carrier_back,
  renumbered,  // addresses or gateways are others: endpoints must be set anew
};
const char* to_text(UplinkEvent event);

struct UplinkChange {
  int number = 0;
  std::string name;
  UplinkEvent event = UplinkEvent::appeared;
  bool operator==(const UplinkChange&) const = default;
};

// What happened between two pictures; carrier_lost hides a renumbering of the same moment.
std::vector<UplinkChange> uplink_changes(const std::vector<UplinkSeen>& before,
                                         const std::vector<UplinkSeen>& after);

const UplinkSeen* find_uplink(const std::vector<UplinkSeen>& uplinks, std::string_view name);

}  // namespace sluice::tunnel
