// What a check of the network found, as lines that a person can act on: each has a verdict, what
// was found and what to do about it. Pure: the evidence is gathered by netcheck_run.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/time.h"
#include "firmware/ports/json.h"
#include "firmware/tunnel/captive_portal.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/overlap.h"
#include "firmware/tunnel/shim_ask.h"
#include "firmware/tunnel/uplink_probe.h"
#include "firmware/tunnel/uplinks.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

enum class Verdict {
  ok,
  warn,     // it works, worse than it could
  fail,     // it does not work, or will not
  unknown,  // could not be checked: the finding says why
};
const char* to_text(Verdict verdict);

struct NetcheckLine {
  std::string group;    // "box", "uplink", "pop"
  std::string subject;  // of the uplink or PoP; empty for the box
  std::string name;     // "network", "clock", "overlap", "identity"; "link", "ipv4", "ipv6", "nat",
                        // "udp", "tcp443", "mtu", "portal"; "latency"
  Verdict verdict = Verdict::unknown;
  Words finding;
  Words advice;              // empty: nothing to do
  ports::JsonValue figures;  // an object: the numbers of the finding, units at the end of names
};

struct Netcheck {
  std::vector<NetcheckLine> lines;
  int count(Verdict verdict) const;
};

// What was asked of one uplink; nothing = it was not asked.
struct UplinkEvidence {
  UplinkSeen seen;
  std::optional<UplinkFinding> probe;
  std::optional<PortalFinding> portal;
  struct Shim {
    std::string pop;
    IpAddress::Family family = IpAddress::Family::v4;
    uint16_t port = 0;
    ShimAskFinding finding;
    std::optional<ClockFinding> clock;  // by its answer
  };
  std::vector<Shim> shims;  // of each PoP that told a TCP port
};

struct PopEvidence {
  std::string name;
  std::string region;
  std::vector<IpAddress> addresses;  // after asking the resolver
  std::string trouble;               // of the resolver, when there are none
  uint16_t where_port = 0;
};

struct NetcheckEvidence {
  enum class Standing { joined, imported, not_joined, unreadable };
  Standing standing = Standing::not_joined;
  std::string standing_trouble;  // of unreadable
  std::string network;           // its name
  std::string network_trouble;   // the machine's network cannot be read: why
  std::string portal_url;        // that was asked; empty: there was none to ask
  std::vector<UplinkEvidence> uplinks;
  std::vector<PopEvidence> pops;
  std::vector<Overlap> overlaps;
  Date now;
  std::optional<Date> floor;  // a date that has certainly been
  bool out_of_time = false;   // what is missing was not answered within the whole check's time
};

Netcheck judge_network(const NetcheckEvidence& evidence);

// Inner packets of a path with such outer ones: WireGuard's overhead (its whitepaper, 5.4.6).
int inner_mtu(int outer, IpAddress::Family family);

}  // namespace sluice::tunnel
