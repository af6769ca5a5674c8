#include "firmware/tunnel/diagnosis.h"

#include "firmware/tunnel/diagnosis_words.h"

namespace sluice::tunnel {

namespace {

// What the uplink itself lacks; Cause::none: nothing that can be seen here.
Cause of_uplink(const PathEvidence& e) {
  if (!e.interface_there) return Cause::no_interface;
  if (!e.carrier) return Cause::no_carrier;
  if (!e.address) return Cause::no_address;
  if (!e.gateway) return Cause::no_gateway;
  if (e.captive_portal.value_or(false)) return Cause::captive_portal;
  return Cause::none;
}

// What has to be before a packet can be sent.
Cause of_setup(const PathEvidence& e) {
  if (!e.enrolled) return Cause::not_enrolled;
  if (e.resolved.has_value() && !*e.resolved) return Cause::no_endpoint;
  if (e.data_plane_down) return Cause::data_plane;
  if (!e.clock.handshakes) return Cause::clock;
  return Cause::none;
}

bool handshake_fresh(const PathEvidence& e) {
  return e.handshake_age && *e.handshake_age < kHandshakeFresh;
}

bool works(const PathEvidence& e) {
  if (e.can_probe) return e.probes_answered > 0;
  return handshake_fresh(e) && (e.received_bytes > 0 || e.sent_bytes == 0);
}

// Enough was sent into the tunnel that silence means something.
bool asked_enough(const PathEvidence& e) {
  return e.can_probe ? e.probes_asked >= kProbesEnough : e.sent_bytes > 0;
}

Cause of_handshake(const PathEvidence& e, bool reaches) {
  if (handshake_fresh(e)) return Cause::one_way;
  return reaches && e.can_probe && !e.readd_asked ? Cause::handshake_locked
                                                  : Cause::handshake_silent;
}

Cause of_udp(const PathEvidence& e) {
  const bool asked = e.where_asked >= kWhereEnough;
  if (asked && e.where_answered == 0) {
    return e.tcp_open.value_or(false) ? Cause::udp_blocked : Cause::uplink_dead;
  }
  if (!asked_enough(e)) return Cause::starting;
  return of_handshake(e, e.where_answered > 0);
}

Cause of_tcp(const PathEvidence& e) {
  if (e.tcp_open.has_value() && !*e.tcp_open) {
    return e.where_answered > 0 ? Cause::tcp_blocked : Cause::uplink_dead;
  }
  if (!asked_enough(e)) return Cause::starting;
  return of_handshake(e, e.tcp_open.has_value());
}

Cause cause_of(const PathEvidence& e) {
  const Cause uplink = of_uplink(e);
  if (uplink != Cause::none) return uplink;
  const Cause setup = of_setup(e);
  if (setup != Cause::none) return setup;
  if (e.cloned) return Cause::cloned;
  if (works(e)) {
    const bool hole = e.small_pass.value_or(false) && e.large_pass.has_value() && !*e.large_pass;
    return hole ? Cause::mtu_black_hole : Cause::none;
  }
  return e.transport == Transport::tcp443 ? of_tcp(e) : of_udp(e);
}

}  // namespace

const char* to_text(Cause cause) {
  switch (cause) {
    case Cause::none:
      return "none";
    case Cause::no_interface:
      return "no_interface";
    case Cause::no_carrier:
      return "no_carrier";
    case Cause::no_address:
      return "no_address";
    case Cause::no_gateway:
      return "no_gateway";
    case Cause::captive_portal:
      return "captive_portal";
    case Cause::not_enrolled:
      return "not_enrolled";
    case Cause::no_endpoint:
      return "no_endpoint";
    case Cause::clock:
      return "clock";
    case Cause::data_plane:
      return "data_plane";
    case Cause::uplink_dead:
      return "uplink_dead";
    case Cause::udp_blocked:
      return "udp_blocked";
    case Cause::tcp_blocked:
      return "tcp_blocked";
    case Cause::handshake_locked:
      return "handshake_locked";
    case Cause::handshake_silent:
      return "handshake_silent";
    case Cause::cloned:
      return "cloned";
    case Cause::mtu_black_hole:
      return "mtu_black_hole";
    case Cause::one_way:
      return "one_way";
    case Cause::starting:
      return "starting";
  }
  return "?";
}

Diagnosis diagnose(const PathEvidence& evidence) {
  Diagnosis out;
  out.cause = cause_of(evidence);
  out.words = words_of(out.cause, evidence);
  const bool ahead = evidence.dated_ahead && evidence.can_probe && !evidence.readd_asked;
  out.ask_readd = out.cause == Cause::handshake_locked || ahead;
  return out;
}

}  // namespace sluice::tunnel
