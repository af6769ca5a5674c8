// What is looked after once a second: what is wrong with paths, keys and ports.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "firmware/tunnel/site_line.h"

namespace sluice::tunnel {

namespace {

// Without probes a path is believed as long as WireGuard itself would keep the session.
constexpr Duration kUnprobedFresh = kHandshakeFresh;

IpAddress::Family family_of(Transport transport) {
  return transport == Transport::udp6 ? IpAddress::Family::v6 : IpAddress::Family::v4;
}

bool is_well(PathState state) { return state == PathState::good || state == PathState::degraded; }

}  // namespace

void SiteTunnels::believe_unprobed(Line& line) {
  const MemberPath* path = membership()->path(line.line.number());
  const UplinkSeen* uplink = path == nullptr ? nullptr : uplink_of(*path, uplinks_);
  const std::optional<Duration> age = handshake_age(line);
  PathState state = PathState::starting;
  if (!line.line.is_settled()) {
    state = PathState::down;
  } else if (uplink == nullptr || !uplink->trouble.empty()) {
    state = PathState::dead;
  } else if (age) {
    state = *age < kUnprobedFresh ? PathState::good : PathState::dead;
  }
  if (state == line.unprobed) return;
  line.unprobed = state;
  line.unprobed_since = ports_.clock.now();
}

// By probes; by WireGuard's own handshakes where the PoP answers none.
PathState SiteTunnels::state_of(const Line& line) const {
  return membership()->can_probe() ? line.line.prober().state() : line.unprobed;
}

Instant SiteTunnels::since_of(const Line& line) const {
  if (!membership()->can_probe()) return line.unprobed_since;
  PathView view;
  line.line.prober().fill(view);
  return view.since;
}

// What the uplink gives beside the tunnel, as far as it was asked since the path is as it is.
void SiteTunnels::add_where(const Line& line, const MemberPath& path, PathEvidence& seen) const {
  const UplinkWatch::Known* known = watch_.known(seen.uplink);
  if (known == nullptr || known->at < since_of(line)) return;
  if (is_well(line.line.prober().state())) return;
  const bool tcp = path.name.transport == Transport::tcp443;
  for (const WhereFinding& host : known->finding.hosts) {
    if (host.pop != path.name.pop) continue;
    if (!tcp && host.host.family != family_of(path.name.transport)) continue;
    seen.where_asked += kWhereTries;
    seen.where_answered += host.reachable ? kWhereTries : 0;
    seen.cloned = seen.cloned || host.cloned;
  }
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
  const bool any = path.name.transport == Transport::tcp443;
  const auto family = family_of(path.name.transport);
  seen.address = uplink != nullptr &&
                 std::any_of(uplink->addresses.begin(), uplink->addresses.end(),
                             [&](const auto& one) { return any || one.address.family == family; });
  const bool v4 = uplink != nullptr && uplink->has_default4;
  const bool v6 = uplink != nullptr && uplink->has_default6;
  seen.gateway = (v4 && (any || family == IpAddress::Family::v4)) ||
                 (v6 && (any || family == IpAddress::Family::v6));
  seen.resolved = book_.address_for(path.name.pop, path.name.transport, true, true).has_value();
  add_where(line, path, seen);
  if (const PortalFinding* portal = portals_.known(seen.uplink)) {
    seen.captive_portal = portal->what == PortalFinding::What::portal;
    seen.portal_url = portal->url;
  }
  if (any) seen.tcp_open = line.shim && line.shim->is_up();
  seen.clock = clock_;
  seen.clock.handshakes = may_handshake(line);
  seen.dated_ahead = is_dated_ahead(line);
  seen.readd_asked = desk_.readd_asked(path.name);
  seen.handshake_age = handshake_age(line);
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

// While any path is good by an address of a PoP, that address stays.
void SiteTunnels::judge_addresses() {
  std::map<std::pair<std::string, IpAddress::Family>, bool> good;
  for (const auto& [number, line] : lines_) {
    if (line->leaving) continue;
    const PathName& name = line->line.name();
    const PathState state = state_of(*line);
    bool& any = good[{name.pop, family_of(name.transport)}];
    any = any || is_well(state) || state == PathState::suspect;
  }
  for (const auto& [side, any] : good) book_.set_good(side.first, side.second, any);
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
  note_handshake(line);
  if (!membership.can_probe()) believe_unprobed(line);
  const PathState state = state_of(line);
  if (is_well(state)) desk_.readd_helped(path->name);
  const PathEvidence evidence = evidence_of(line, *path);
  line.diagnosis = is_beginning(line) ? Diagnosis{Cause::starting, {}, false} : diagnose(evidence);
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
  if (line.port_since == Instant()) line.port_since = now;
  PathView view;
  line.line.prober().fill(view);
  const bool stale = state == PathState::dead && now >= view.since + kDeadSurely &&
                     !line.line.is_data_plane_down() && evidence.where_answered > 0 &&
                     may_handshake(line) && !is_beginning(line) &&
                     path->name.transport != Transport::tcp443 &&
                     (!line.needed_port_at || now >= *line.needed_port_at + kNewPortEvery);
  if (!stale) return;
  line.port_since = now;
  line.needed_port_at = now;
  ports_.log.info("tunnel", "{}: taking a new port", path->name.text());
  line.line.take_new_port();
}

// By age: a path that carries nothing first, one that does when its traffic has gone to another or
// has none to go to. A path over TCP has no port that anybody would forget.
std::optional<int> SiteTunnels::renew_ports() {
  const Instant now = ports_.clock.now();
  if (settings_.port_life.is_zero() || now < next_port_turn_) return std::nullopt;
  Line* due = nullptr;
  bool carries = false;  // the one that is due
  int well = 0;
  for (const auto& [number, line] : lines_) {
    const PathState state = state_of(*line);
    if (line->leaving || !is_well(state)) continue;
    ++well;
    if (line->line.name().transport == Transport::tcp443) continue;
    if (now < line->port_since + settings_.port_life) continue;
    const bool used = switch_.chosen(TrafficClass::interactive) == number ||
                      switch_.chosen(TrafficClass::bulk) == number;
    const bool older = due == nullptr || line->port_since < due->port_since;
    if (due != nullptr && (used == carries ? !older : used)) continue;
    due = line.get();
    carries = used;
  }
  if (due == nullptr) return std::nullopt;
  const bool may_leave = well > 1 && settings_.failover;
  const std::optional<int> away = may_leave ? std::optional<int>(due->line.number()) : std::nullopt;
  if (carries && away) return away;
  due->port_since = now;
  next_port_turn_ = now + kNewPortEvery;
  due->line.take_new_port();
  return away;  // until the next time: it has to show that it is well by the new one
}

// Keys and ports: one path after the other, traffic moved away first where it can be.
void SiteTunnels::renew_paths(const Membership& membership) {
  if (desk_.is_rotating() || (drill_ && !drill_->is_over())) return;
  std::vector<int> active;
  for (const std::optional<int>& path : switch_.chosen()) {
    if (path) active.push_back(*path);
  }
  // A wish of a time to come (the date was set back) would never be fulfilled.
  const Date now = ports_.calendar.now();
  if (rotation_asked_) rotation_asked_ = std::min(*rotation_asked_, now);
  // By a date that is not certain every key may be old, and with one that is ahead no key begins.
  if (clock_.trust == ClockTrust::ahead_of_pop) return;
  const bool certain = clock_.trust == ClockTrust::trusted;
  const RotationWish wish{certain ? settings_.key_life : Duration(), rotation_asked_, certain};
  std::optional<Rotation> due;
  if (!membership.imported()) due = rotation_due(membership, views(), active, wish, now);
  // Without failover traffic does not move for this either.
  if (due && (!due->traffic_first || !settings_.failover)) return desk_.rotate(due->path);
  const MemberPath* path = due ? membership.path(due->path) : nullptr;
  ChoiceWish away;
  const std::optional<int> leave =
      path != nullptr ? std::optional<int>(path->number) : renew_ports();
  if (leave) away.excluded = 1U << static_cast<unsigned>(*leave);
  for (const TrafficClass traffic : {TrafficClass::interactive, TrafficClass::bulk}) {
    switch_.want(traffic, away);
  }
}

std::set<std::string> SiteTunnels::lifeless() const {
  std::set<std::string> names;
  std::set<std::string> alive;
  for (const auto& [number, line] : lines_) {
    const PathState state = state_of(*line);
    const bool lives = is_well(state) || state == PathState::suspect ||
                       ports_.clock.now() < since_of(*line) + kDeadSurely;
    (lives ? alive : names).insert(line->uplink);
  }
  std::erase_if(names, [&alive](const std::string& name) { return alive.contains(name); });
  return names;
}

std::vector<std::string> SiteTunnels::unwell() const {
  std::vector<std::string> names;
  for (const auto& [number, line] : lines_) {
    if (!is_well(line->line.prober().state())) names.push_back(line->uplink);
  }
  return names;
}

}  // namespace sluice::tunnel
