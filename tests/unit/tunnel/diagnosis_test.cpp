// The first cause that the evidence shows, and words for each in both languages.
#include "firmware/tunnel/diagnosis.h"

#include <set>

#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

// Probed in vain: UDP gets there, the handshake never happened.
PathEvidence silent() {
  PathEvidence out;
  out.uplink = "wan0";
  out.pop = "north";
  out.resolved = true;
  out.where_asked = 5;
  out.where_answered = 5;
  out.tcp_open = true;
  out.probes_asked = 20;
  out.sent_bytes = 1000;
  return out;
}

PathEvidence working() {
  PathEvidence out = silent();
  out.handshake_age = Duration::seconds(20);
  out.probes_answered = 20;
  out.received_bytes = 1000;
  return out;
}

Cause cause(const PathEvidence& evidence) { return diagnose(evidence).cause; }

}  // namespace

TEST_CASE("diagnosis: what works has no cause and no words") {
  CHECK(cause(working()) == Cause::none);
  CHECK(diagnose(working()).words.empty());
}

TEST_CASE("diagnosis: from the wire upwards, the first that is wrong") {
  PathEvidence e = silent();
  e.clock.handshakes = false;
  CHECK(cause(e) == Cause::clock);
  e.data_plane_down = true;
  CHECK(cause(e) == Cause::data_plane);
  e.resolved = false;
  CHECK(cause(e) == Cause::no_endpoint);
  e.enrolled = false;
  CHECK(cause(e) == Cause::not_enrolled);
  e.captive_portal = true;
  CHECK(cause(e) == Cause::captive_portal);
  e.gateway = false;
  CHECK(cause(e) == Cause::no_gateway);
  e.address = false;
  CHECK(cause(e) == Cause::no_address);
  e.carrier = false;
  CHECK(cause(e) == Cause::no_carrier);
  e.interface_there = false;
  CHECK(cause(e) == Cause::no_interface);
}

TEST_CASE(
    "diagnosis: UDP reaches the PoP and the handshake is silent: it is asked to add us anew") {
  PathEvidence e = silent();
  CHECK(cause(e) == Cause::handshake_locked);
  CHECK(diagnose(e).ask_readd);
  e.readd_asked = true;
  CHECK(cause(e) == Cause::handshake_silent);
  CHECK_FALSE(diagnose(e).ask_readd);
  e.handshake_age = Duration::seconds(30);
  CHECK(cause(e) == Cause::one_way);
}

TEST_CASE("diagnosis: a handshake dated ahead asks to add us anew, once, whatever else is wrong") {
  PathEvidence e = silent();
  e.where_answered = 0;
  CHECK_FALSE(diagnose(e).ask_readd);
  e.dated_ahead = true;
  CHECK(diagnose(e).ask_readd);
  e.readd_asked = true;
  CHECK_FALSE(diagnose(e).ask_readd);
  e.readd_asked = false;
  e.can_probe = false;
  CHECK_FALSE(diagnose(e).ask_readd);
}

TEST_CASE("diagnosis: blocked UDP, blocked TCP and a dead uplink are told apart") {
  PathEvidence e = silent();
  e.where_answered = 0;
  CHECK(cause(e) == Cause::udp_blocked);
  e.tcp_open = false;
  CHECK(cause(e) == Cause::uplink_dead);
  e.where_asked = 2;  // too few to mean anything; the probes speak
  CHECK(cause(e) == Cause::handshake_silent);
  e = silent();
  e.transport = Transport::tcp443;
  e.tcp_open = false;
  CHECK(cause(e) == Cause::tcp_blocked);
  e.where_answered = 0;
  CHECK(cause(e) == Cause::uplink_dead);
  e.tcp_open = true;
  CHECK(cause(e) == Cause::handshake_locked);
}

TEST_CASE("diagnosis: nothing is concluded from a path that has just come up") {
  PathEvidence e = silent();
  e.probes_asked = kProbesEnough - 1;
  CHECK(cause(e) == Cause::starting);
}

TEST_CASE("diagnosis: large packets that vanish are a black hole, a copied identity is one") {
  PathEvidence e = working();
  e.small_pass = true;
  e.large_pass = false;
  CHECK(cause(e) == Cause::mtu_black_hole);
  e.cloned = true;
  CHECK(cause(e) == Cause::cloned);
}

TEST_CASE("diagnosis: without probes WireGuard's own counters speak") {
  PathEvidence e = working();
  e.can_probe = false;
  e.probes_asked = 0;
  e.probes_answered = 0;
  CHECK(cause(e) == Cause::none);
  e.received_bytes = 0;
  CHECK(cause(e) == Cause::one_way);
  e.handshake_age = Duration::seconds(500);
  CHECK(cause(e) == Cause::handshake_silent);  // nobody could be asked to add us anew
  e.sent_bytes = 0;
  CHECK(cause(e) == Cause::starting);
}

TEST_CASE("diagnosis: every cause has words of its own in both languages") {
  std::set<std::string> en;
  std::set<std::string> zh;
  PathEvidence e = silent();
  const auto see = [&] {
    const Diagnosis diagnosis = diagnose(e);
    CAPTURE(to_text(diagnosis.cause));
    CHECK(en.insert(diagnosis.words.en).second);
    CHECK(zh.insert(diagnosis.words.zh).second);
  };
  see();
  e.readd_asked = true;
  see();
  e.double_nat = true;
  see();
  e.double_nat.reset();
  e.handshake_age = Duration::seconds(1);
  see();
  e.where_answered = 0;
  see();
  e.tcp_open = false;
  see();
  e.where_answered = 4;
  e.transport = Transport::tcp443;
  see();
  e.clock.handshakes = false;
  see();
  e.data_plane_down = true;
  see();
  e.resolved = false;
  see();
  e.enrolled = false;
  see();
  e.captive_portal = true;
  see();
  e.gateway = false;
  see();
  e.address = false;
  see();
  e.carrier = false;
  see();
  e.interface_there = false;
  see();
  e = working();
  e.small_pass = true;
  e.large_pass = false;
  see();
  e.cloned = true;
  see();
  CHECK(en.count("") == 0);
  CHECK(zh.count("") == 0);
}
