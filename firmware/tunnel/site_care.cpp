// What is looked after once a second: the date, what is wrong with paths, keys and ports.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "firmware/tunnel/site_line.h"

namespace sluice::tunnel {

namespace {

constexpr Duration kStaleAfter = Duration::seconds(3);  // a path is dead
constexpr Duration kStepSeen = Duration::seconds(2);
// Without probes a path is believed as long as WireGuard itself would keep the session.
constexpr Duration kUnprobedFresh = kHandshakeFresh;

IpAddress::Family family_of(Transport transport) {
  return transport == Transport::udp6 ? IpAddress::Family::v6 : IpAddress::Family::v4;
}

bool is_well(PathState state) { return state == PathState::good || state == PathState::degraded; }

}  // namespace

void SiteTunnels::judge_date() {
  const Date date = ports_.calendar.now();
  const Instant now = ports_.clock.now();
  // Somebody set the date: what was measured against the old one is void.
  if (dated_) {
    const Duration drift = (date - dated_->first) - (now - dated_->second);
    if (drift > kStepSeen || Duration() - drift > kStepSeen) watch_.clock_stepped();
  }
  dated_ = {date, now};
  ClockEvidence evidence;
  evidence.now = date;
  evidence.floor = floor_.floor();
  if (const auto clock = watch_.clock()) {
    evidence.pop_date = date + clock->offset;
    evidence.pop_error = clock->uncertainty;
  }
  std::optional<Date> handshake;
  for (const auto& [number, line] : lines_) {
    if (!line->line.peer() || !line->line.peer()->last_handshake) continue;
    handshake = std::max(handshake.value_or(Date()), *line->line.peer()->last_handshake);
  }
  evidence.handshake = handshake;
  const bool said = clock_.trust == judge_clock(evidence).trust;
  clock_ = judge_clock(evidence);
  if (!said && !clock_.words.empty()) ports_.log.warning("tunnel", "{}", clock_.words.en);
  if (clock_.drop_floor && evidence.pop_date) {
    (void)floor_.replace(*evidence.pop_date).has_value();  // in memory it is replaced all the same
  }
  if (clock_.step_to && settings_.step_clock) {
    if (Result<void> set = ports_.date.set(*clock_.step_to); !set) {
      if (!said) ports_.log.error("tunnel", "{}", set.error().text);
    } else {
      ports_.log.warning("tunnel", "the system's date was set right");
      watch_.clock_stepped();
      dated_ = {*clock_.step_to, now};
    }
  }
  if (clock_.ask_readd) {
    for (const auto& [number, line] : lines_) desk_.readd(line->line.name());
  }
  if (!clock_.handshakes) return;
  if (Result<void> noted = floor_.note(date, handshake.has_value()); !noted && !said) {
    ports_.log.warning("tunnel", "{}", noted.error().text);
  }
}

void SiteTunnels::believe_unprobed(Line& line) {
  const auto& peer = line.line.peer();
  PathState state = PathState::starting;
  if (!line.line.is_settled()) {
    state = PathState::down;
  } else if (peer && peer->last_handshake) {
    const Duration age = ports_.calendar.now() - *peer->last_handshake;
    state = age < kUnprobedFresh ? PathState::good : PathState::dead;
  }
  if (state == line.unprobed) return;
  line.unprobed = state;
  line.unprobed_since = ports_.clock.now();
}

PathEvidence SiteTunnels::evidence_of(const Line& line, const MemberPath& path) const {
  const UplinkSeen* uplink = uplink_of(path, uplinks_);
  PathEvidence seen;
  seen.uplink = uplink == nullptr ? path.name.uplink : uplink->name;
  seen.pop = path.name.pop;
  seen.transport = path.name.transport;
  seen.enrolled = path.lane.has_value();
  seen.interface_there = uplink != nullptr && uplink->link != 0;
  seen.carrier = uplink != nullptr && uplink->up && uplink->carrier;
  seen.address = uplink != nullptr && !uplink->addresses.empty();
  seen.gateway = uplink != nullptr && (uplink->has_default4 || uplink->has_default6);
  const auto family = family_of(path.name.transport);
  seen.resolved = book_.address_for(path.name.pop, path.name.transport, true, true).has_value();
  if (const UplinkWatch::Known* known = watch_.known(seen.uplink)) {
    for (const WhereFinding& host : known->finding.hosts) {
      if (host.pop != path.name.pop || host.host.family != family) continue;
      seen.where_asked += kWhereTries;
      seen.where_answered += host.reachable ? kWhereTries : 0;
      seen.cloned = seen.cloned || host.cloned;
    }
  }
  if (path.name.transport == Transport::tcp443) seen.tcp_open = line.shim && line.shim->is_up();
  seen.clock = clock_;
  seen.readd_asked = desk_.readd_asked(path.name);
  if (line.line.peer() && line.line.peer()->last_handshake) {
    seen.handshake_age = ports_.calendar.now() - *line.line.peer()->last_handshake;
  }
  const PathProber& prober = line.line.prober();
  const PathState state = prober.state();
  seen.probes_asked = is_well(state) ? kProbesEnough : prober.health().unanswered();
  seen.probes_answered = is_well(state) ? kProbesEnough : 0;
  seen.can_probe = membership()->can_probe();
  seen.received_bytes = line.received;
  seen.sent_bytes = line.sent;
  if (is_well(state)) {
    seen.small_pass = true;
    if (prober.sizes().mtu() != 0 || prober.sizes().hole())
      seen.large_pass = !prober.sizes().hole();
  }
  if (prober.told()) seen.cloned = seen.cloned || prober.told()->identity_elsewhere;
  seen.data_plane_down = line.line.is_data_plane_down();
  return seen;
}

void SiteTunnels::care_for(Line& line, const Membership& membership) {
  const MemberPath* path = membership.path(line.line.number());
  if (path == nullptr || line.leaving) return;
  if (const auto& peer = line.line.peer()) {
    line.received = peer->received_bytes - std::min(peer->received_bytes, line.received_before);
    line.sent = peer->sent_bytes - std::min(peer->sent_bytes, line.sent_before);
    line.received_before = peer->received_bytes;
    line.sent_before = peer->sent_bytes;
  }
  if (!membership.can_probe()) believe_unprobed(line);
  const PathState state = membership.can_probe() ? line.line.prober().state() : line.unprobed;
  book_.set_good(path->name.pop, family_of(path->name.transport), is_well(state));
  const PathEvidence evidence = evidence_of(line, *path);
  line.diagnosis = diagnose(evidence);
  const Cause cause = line.diagnosis.cause;
  if (cause != line.told && cause != Cause::starting) {
    line.told = cause;
    const LogLevel level = cause == Cause::none ? LogLevel::info : LogLevel::warning;
    const std::string words = cause == Cause::none ? "it works" : line.diagnosis.words.en;
    ports_.log.say(level, "tunnel", "{}: {}", path->name.text(), words);
  }
  if (line.diagnosis.ask_readd) desk_.readd(path->name);
  // An address translation that has forgotten us, or remembers us wrongly: UDP gets through from a
  // fresh port and not from this one.
  const Instant now = ports_.clock.now();
  PathView view;
  line.line.prober().fill(view);
  const bool stale = state == PathState::dead && now >= view.since + kStaleAfter &&
                     !line.line.is_data_plane_down() && evidence.where_answered > 0 &&
                     path->name.transport != Transport::tcp443 &&
                     now >= line.new_port_at + kNewPortEvery;
  const bool due = !settings_.port_life.is_zero() && is_well(state) &&
                   now >= line.new_port_at + settings_.port_life;
  if (line.new_port_at == Instant()) line.new_port_at = now;
  if (!stale && !due) return;
  line.new_port_at = now;
  if (stale) ports_.log.info("tunnel", "{}: taking a new port", path->name.text());
  line.line.take_new_port();
}

// One path after the other, traffic moved away first where it can be.
void SiteTunnels::rotate_keys(const Membership& membership) {
  if (membership.imported() || desk_.is_rotating() || (drill_ && !drill_->is_over())) return;
  std::vector<int> active;
  for (const std::optional<int>& path : switch_.chosen()) {
    if (path) active.push_back(*path);
  }
  const RotationWish wish{settings_.key_life, rotation_asked_};
  const auto due = rotation_due(membership, views(), active, wish, ports_.calendar.now());
  if (due && !due->traffic_first) return desk_.rotate(due->path);
  const MemberPath* path = due ? membership.path(due->path) : nullptr;
  ChoiceWish away;
  if (path != nullptr) away.excluded = 1U << static_cast<unsigned>(path->number);
  for (const TrafficClass traffic : {TrafficClass::interactive, TrafficClass::bulk}) {
    switch_.want(traffic, away);
  }
}

std::vector<std::string> SiteTunnels::unwell() const {
  std::vector<std::string> names;
  for (const auto& [number, line] : lines_) {
    if (!is_well(line->line.prober().state())) names.push_back(line->uplink);
  }
  return names;
}

}  // namespace sluice::tunnel
