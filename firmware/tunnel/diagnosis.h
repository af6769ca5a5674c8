// Why a path does not work, in words, from what was seen of it. Pure: the first cause from the wire
// upwards that the evidence shows; it never guesses beyond it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "firmware/base/time.h"
#include "firmware/tunnel/clock_floor.h"
#include "firmware/tunnel/names.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

// Nothing = not asked. What was asked and what came back is told apart by `asked` counts.
struct PathEvidence {
  std::string uplink;  // for words
  std::string pop;
  Transport transport = Transport::udp4;
  bool enrolled = true;         // the PoP has this path's key
  bool interface_there = true;  // of the uplink
  bool carrier = true;
  bool address = true;  // of the path's family
  bool gateway = true;
  std::optional<bool> resolved;  // the PoP's hosts have an address of this family
  int where_asked = 0;           // outside the tunnel over UDP, in the last window
  int where_answered = 0;
  std::optional<bool> tcp_open;  // the PoP's TCP port took a connection
  std::optional<bool> captive_portal;
  std::optional<bool> double_nat;
  ClockVerdict clock;
  bool readd_asked = false;               // of the PoP, since the handshake fell silent
  std::optional<Duration> handshake_age;  // nothing: there never was one
  int probes_asked = 0;                   // inside the tunnel, in the last window
  int probes_answered = 0;
  bool can_probe = true;        // Membership::can_probe
  uint64_t received_bytes = 0;  // in the last window, WireGuard's counters
  uint64_t sent_bytes = 0;
  std::optional<bool> small_pass;  // probes of the least size come back
  std::optional<bool> large_pass;  // and those of the interface's MTU
  bool cloned = false;             // another instance uses this identity
  bool data_plane_down = false;    // what carries the interface is being started anew
  std::string portal_url;          // of the captive portal, when it told one; printable
  // It is dead, our date is right, and its last handshake was dated after that.
  bool dated_ahead = false;
};

enum class Cause {
  none,  // it works
  no_interface,
  no_carrier,
  no_address,
  no_gateway,
  captive_portal,
  not_enrolled,
  no_endpoint,
  clock,
  data_plane,
  uplink_dead,       // nothing of this PoP answers: neither UDP nor TCP
  udp_blocked,       // TCP does, UDP does not
  tcp_blocked,       // the shim's port does not take connections though UDP answers
  handshake_locked,  // UDP answers, the handshake is silent: PoP remembers a later clock
  handshake_silent,  // and the PoP added it anew already: wrong key or port, or DPI
  cloned,
  mtu_black_hole,
  one_way,   // handshakes are fresh, probes do not come back
  starting,  // not enough seen yet
};
const char* to_text(Cause cause);

struct Diagnosis {
  Cause cause = Cause::none;
  Words words;
  bool ask_readd = false;  // the one cure that the box can ask for itself
};

inline constexpr int kWhereEnough = 3;  // questions without an answer until silence means something
inline constexpr int kProbesEnough = 5;
inline constexpr Duration kHandshakeFresh = Duration::seconds(180);  // REJECT_AFTER_TIME

Diagnosis diagnose(const PathEvidence& evidence);

}  // namespace sluice::tunnel
