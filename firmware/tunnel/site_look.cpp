// The pass: from the machine's network and the membership to what the kernel shall hold.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "firmware/tunnel/belt.h"
#include "firmware/tunnel/difference.h"
#include "firmware/tunnel/overlap.h"
#include "firmware/tunnel/shaping.h"
#include "firmware/tunnel/site_line.h"

namespace sluice::tunnel {

namespace {

using Family = IpAddress::Family;

bool can_carry(const UplinkSeen* uplink, Transport transport) {
  if (uplink == nullptr) return false;
  if (transport == Transport::udp4) return uplink->carries(Family::v4);
  if (transport == Transport::udp6) return uplink->carries(Family::v6);
  return uplink->carries(Family::v4) || uplink->carries(Family::v6);
}

bool moved(const UplinkSeen& before, const UplinkSeen& after) {
  return before.link != after.link || before.addresses != after.addresses ||
         before.gateway4 != after.gateway4 || before.gateway6 != after.gateway6;
}

const UplinkSeen* uplink_for(const PathName& name, const std::vector<UplinkSeen>& uplinks) {
  MemberPath path;
  path.name = name;
  return uplink_of(path, uplinks);
}

bool has_v6(const std::vector<UplinkSeen>& uplinks) {
  return std::any_of(uplinks.begin(), uplinks.end(),
                     [](const UplinkSeen& one) { return one.has_default6; });
}

// The table that a change leads packets to; 0: none.
uint32_t table_of_change(const ports::NetworkChange& change) {
  if (const auto* put = std::get_if<ports::PutRoute>(&change)) return put->route.table;
  if (const auto* rule = std::get_if<ports::AddRule>(&change)) return rule->rule.table;
  return 0;
}

bool holds_ours(const ports::NetworkState& network) {
  return !network.rules.empty() || !network.nexthops.empty() ||
         std::any_of(network.routes.begin(), network.routes.end(),
                     [](const auto& route) { return route.protocol == ports::kOurProtocol; }) ||
         std::any_of(network.links.begin(), network.links.end(),
                     [](const auto& link) { return is_our_interface(link.name); });
}

const ports::LinkState* link_named(const ports::NetworkState& network, std::string_view name) {
  for (const ports::LinkState& link : network.links) {
    if (link.name == name) return &link;
  }
  return nullptr;
}

}  // namespace

void SiteTunnels::look() {
  soon_->stop();
  if (!running_) return;
  if (drill_ && drill_->is_told()) drill_.reset();
  const bool idle = membership() == nullptr && lines_.empty();
  if (idle && clean_) return;  // a box without a network looks at nothing
  // Who we are is not known: what an earlier run made stays as it is.
  if (idle && desk_.is_unreadable()) return;
  looked_at_ = ports_.clock.now();
  const std::vector<UplinkSeen> before = uplinks_;
  if (!read_network()) return;
  follow_uplinks(before);
  // Whatever becomes of the tunnels: as long as there is a membership its addresses are guarded.
  const Membership* member = membership();
  compare_plans();
  const bool up = is_up();
  make_lines(up ? member : nullptr);
  if (up && !watch_.date()) watch_.poll(uplinks_, *member, book_, unwell());
  switch_.adopt(network_, views());
  routes_mtu_ = routes_mtu();
  const Wanted wanted = wanted_state(wanted_input(member, up));
  const bool ours = holds_ours(network_);
  if (member != nullptr || ours || !lines_.empty()) keep_rules(member, up);
  clean_ = idle && !ours;
  apply(wanted);
  bring_up(wanted, up ? member : nullptr);
  choose();
}

// Where part of the site or of the network would vanish: rather no tunnel.
void SiteTunnels::compare_plans() {
  overlaps_.clear();
  site_parts_.clear();
  refused_ = false;
  if (membership() == nullptr) return;
  for (const Overlap& overlap : overlaps(*membership(), network_, uplinks_)) {
    overlaps_.push_back(overlap.words);
    refused_ = refused_ || overlap.refuses;
  }
  if (refused_) site_parts_ = site_parts(*membership(), network_, uplinks_);
}

// Of the network though they lie in a net of the site.
std::vector<IpAddress> SiteTunnels::nodes_in_site() const {
  std::vector<IpAddress> nodes;
  for (const CloudNode& node : settings_.nodes) {
    if (is_of_site(node.address)) nodes.push_back(node.address);
  }
  return nodes;
}

bool SiteTunnels::read_network() {
  Result<ports::NetworkState> network = ports_.links.read();
  if (!network) {
    if (network.error().text != network_trouble_) {
      ports_.log.error("tunnel", "{}", network.error().text);
    }
    network_trouble_ = network.error().text;
    return false;
  }
  if (desk_.membership() != nullptr) network_trouble_.clear();
  network_ = std::move(*network);
  uplinks_ = uplinks_seen(network_, settings_.uplinks, uplinks_);
  return true;
}

// Before anything else: traffic leaves a path whose uplink is gone, and a path whose uplink has
// other addresses is told so, since no data plane finds that out soon.
void SiteTunnels::follow_uplinks(const std::vector<UplinkSeen>& before) {
  bool lost = false;
  const std::vector<UplinkChange> changes = uplink_changes(before, uplinks_);
  for (const UplinkChange& change : changes) {
    ports_.log.info("tunnel", "uplink {}: {}", change.name, to_text(change.event));
  }
  for (const auto& [number, line] : lines_) {
    const PathName& name = line->line.name();
    const UplinkSeen* was = uplink_for(name, before);
    const UplinkSeen* is = uplink_for(name, uplinks_);
    const bool could = can_carry(was, name.transport);
    const bool can = can_carry(is, name.transport);
    if (could && !can) {
      const bool carrier = is != nullptr && is->link != 0 && !is->carrier;
      line->line.prober().lose(carrier ? DeathCause::carrier_lost : DeathCause::uplink_gone);
      if (membership() != nullptr && !membership()->can_probe()) believe_unprobed(*line);
      lost = true;
    } else if (can && (!could || moved(*was, *is))) {
      if (line->shim) line->shim->redial();
      line->line.endpoint_again();
      if (!could) line->line.prober().regain();
    }
  }
  if (lost) choose();
  if (!changes.empty()) book_.network_changed();
}

// What is gone for a moment (an uplink whose interface or IPv6 is not up yet) keeps its paths:
// without them it would have to be enrolled anew.
PathWishes SiteTunnels::path_wishes(const Membership& membership) {
  PathWishes wishes;
  for (const UplinkSeen& uplink : uplinks_) {
    if (uplink.link != 0) missing_.erase(uplink.name);
    const Instant since = uplink.link != 0
                              ? ports_.clock.now()
                              : missing_.emplace(uplink.name, ports_.clock.now()).first->second;
    const bool waits = ports_.clock.now() < since + kUplinkWait;
    if (waits || !settings_.uplinks.empty()) wishes.uplinks.push_back(uplink.name);
  }
  wishes.transports = {Transport::udp4};
  if (settings_.tcp443) wishes.transports.push_back(Transport::tcp443);
  const bool had_v6 =
      std::any_of(membership.paths.begin(), membership.paths.end(),
                  [](const MemberPath& path) { return path.name.transport == Transport::udp6; });
  if (had_v6 || has_v6(uplinks_)) wishes.transports.push_back(Transport::udp6);
  return wishes;
}

void SiteTunnels::make_lines(const Membership* membership) {
  if (membership != nullptr) {
    book_.follow(membership->pops);
    desk_.keep_paths(path_wishes(*membership));
    for (const MemberPath& path : membership->paths) {
      if (!path.lane || lines_.contains(path.number)) continue;
      lines_[path.number] = std::make_unique<Line>(*this, path.number, path.name);
    }
  } else {
    watch_.forget();
    portals_.forget();
    switch_.forget();
    if (drill_) {
      drill_->abandon({ErrorKind::gone, "tunnel", "the tunnels were switched off meanwhile"});
    }
  }
  bool chosen_leaves = false;
  for (auto at = lines_.begin(); at != lines_.end();) {
    Line& line = *at->second;
    const MemberPath* path = membership == nullptr ? nullptr : membership->path(at->first);
    line.leaving = path == nullptr || path->name != line.line.name();
    if (line.leaving) line.line.want_nothing();
    const bool chosen = switch_.chosen(TrafficClass::interactive) == at->first ||
                        switch_.chosen(TrafficClass::bulk) == at->first;
    chosen_leaves = chosen_leaves || (line.leaving && chosen);
    at = line.leaving && line.line.is_removed() ? lines_.erase(at) : std::next(at);
  }
  if (chosen_leaves) choose();  // before its routes go
}

WantedInput SiteTunnels::wanted_input(const Membership* membership, bool up) const {
  WantedInput input;
  input.membership = membership;
  input.network = &network_;
  input.site = site_parts_;
  input.nodes = nodes_in_site();
  if (!up) return input;
  input.uplinks = &uplinks_;
  input.chosen = switch_.chosen();
  input.routes_mtu = routes_mtu_;
  for (const auto& [number, held] : lines_) {
    Line& line = *held;
    const MemberPath* path = membership->path(number);
    if (line.leaving || path == nullptr) continue;
    const UplinkSeen* uplink = uplink_of(*path, uplinks_);
    line.uplink = uplink == nullptr ? "" : uplink->name;
    line.metered = uplink != nullptr && uplink->metered;
    // A path over TCP carries a tunnel's worth of acknowledgements twice: after every UDP one.
    line.preference = (uplink == nullptr ? 0 : uplink->preference) * 2 +
                      (path->name.transport == Transport::tcp443 ? 1 : 0);
    line.trouble =
        uplink == nullptr ? Words{"its uplink is not there", "其上行线路不存在"} : uplink->trouble;
    note_handshake(line);
    const bool may = may_handshake(line);
    if (!may && !clock_.words.empty()) line.trouble = clock_.words;
    PathWish wish;
    wish.number = number;
    // The shim in any case: the answer to its hello tells the date where UDP does not pass.
    const std::optional<IpEndpoint> endpoint = endpoint_of(line, *path);
    if (may) {
      wish.endpoint = endpoint;
    } else {
      line.held_at = ports_.clock.now();
      wish.peering = line.line.peer() ? Peering::gone : Peering::not_made;
    }
    wish.mtu = membership->mtu != 0 ? membership->mtu : kInnerMtuMost;
    wish.shim = path->name.transport == Transport::tcp443;
    input.paths.push_back(wish);
  }
  return input;
}

std::optional<IpEndpoint> SiteTunnels::endpoint_of(Line& line, const MemberPath& path) const {
  const UplinkSeen* uplink = uplink_of(path, uplinks_);
  if (uplink == nullptr) return std::nullopt;
  const auto address = book_.address_for(path.name.pop, path.name.transport,
                                         uplink->carries(Family::v4), uplink->carries(Family::v6));
  if (!address) {
    if (line.trouble.empty()) line.trouble.en = book_.trouble(path.name.pop);
    return std::nullopt;
  }
  if (path.name.transport != Transport::tcp443) return IpEndpoint{*address, path.lane->port};
  const std::optional<ProbeIdentity> identity = probe_identity(*membership());
  if (!identity || path.lane->tcp_port == 0) return std::nullopt;
  const std::string made_for = fmt::format("{} {} {} {} {}", address->text(), path.lane->tcp_port,
                                           path.lane->port, uplink->interface, uplink->number);
  if (line.shim_identity != made_for) {
    ports::OutboundWay way;
    way.interface = uplink->interface;
    way.mark = uplink_mark(uplink->number);
    line.shim.reset();
    line.dialer = ports_.dialers.by(way);
    ShimSpec spec;
    spec.host = address->text();
    spec.tcp_port = path.lane->tcp_port;
    spec.lane = path.lane->port;
    spec.identity = *identity;
    line.shim = std::make_unique<Shim>(
        ShimPorts{ports_.clock, ports_.timers, ports_.random, ports_.datagrams, *line.dialer}, spec,
        line);
    line.shim_identity = made_for;
    if (Result<void> opened = line.shim->open(); !opened) {
      line.trouble = {opened.error().text, ""};
      line.shim.reset();
      line.shim_identity.clear();
      return std::nullopt;
    }
  }
  line.shim->set_wireguard_port(line.line.listen_port());
  return line.shim->local();
}

// What every path in use carries: traffic may move to any of them.
int SiteTunnels::routes_mtu() const {
  int least = 0;
  for (const auto& [number, line] : lines_) {
    const PathState state = line->line.prober().state();
    const int mtu = line->line.prober().sizes().mtu();
    if (mtu == 0 || (state != PathState::good && state != PathState::degraded)) continue;
    least = least == 0 ? mtu : std::min(least, mtu);
  }
  return least == 0 ? kInnerMtuFirst : std::max(least, MtuSearch::kLeastSize);
}

void SiteTunnels::apply(const Wanted& wanted) {
  const std::vector<std::string> failed_before = std::exchange(failed_, {});
  const std::vector<ports::NetworkChange> changes = difference(wanted, network_);
  if (changes.empty()) undone_ = false;
  if (!changes.empty() && changing_looks_left_-- <= 0) {
    changing_looks_left_ = 0;
    undone_ = true;
    return;
  }
  std::set<uint32_t> ways;  // tables of uplinks
  for (const ports::NetworkChange& change : changes) {
    Result<void> applied = ports_.links.apply(change);
    ports_.log.debug("tunnel", "{}", ports::text(change));
    if (applied) {
      ways.insert(table_of_change(change));
      continue;
    }
    failed_.push_back(ports::text(change) + ": " + applied.error().text);
    const bool said = std::find(failed_before.begin(), failed_before.end(), failed_.back()) !=
                      failed_before.end();
    if (!said) ports_.log.warning("tunnel", "{}", failed_.back());
  }
  // A data plane that has taken another way meanwhile stays on it until it is told.
  for (const auto& [number, line] : lines_) {
    const UplinkSeen* uplink = uplink_for(line->line.name(), uplinks_);
    if (uplink != nullptr && ways.contains(uplink_table(uplink->number))) {
      line->line.endpoint_again();
    }
  }
  for (const std::string& interface : stray_interfaces(wanted, network_)) {
    if (line_of(interface) != nullptr || !straying_.insert(interface).second) continue;
    ports_.wireguard.remove(
        interface, [this, interface, alive = alive_](const Result<void>& removed) {
          if (!*alive) return;
          straying_.erase(interface);
          if (!removed) ports_.log.warning("tunnel", "{}: {}", interface, removed.error().text);
        });
  }
}

void SiteTunnels::bring_up(const Wanted& wanted, const Membership* membership) {
  if (membership == nullptr) return;
  const std::optional<ProbeIdentity> identity = probe_identity(*membership);
  for (const WantedDevice& device : wanted.devices) {
    Line* line = line_of(device.number);
    if (line == nullptr || line->leaving) continue;
    line->line.want(device);
    const MemberPath* path = membership->path(device.number);
    const Pop* pop = path == nullptr ? nullptr : membership->pop(path->name.pop);
    const ports::LinkState* link = link_named(network_, device.interface);
    const bool stands = link != nullptr && link->up && !link->addresses.empty();
    if (link == nullptr && line->line.is_settled()) line->line.poll();  // somebody took it away
    if (!identity || pop == nullptr || !stands || !line->line.is_settled()) continue;
    ProberSpec spec;
    spec.interface = device.interface;
    spec.source = membership->address;
    spec.pop = {pop->probe_address, pop->probe_port};
    spec.lane = path->lane->port;
    spec.box = identity->box;
    spec.instance = identity->instance;
    spec.key = identity->key;
    spec.mtu = link->mtu;
    spec.metered = line->metered;
    line->line.probe(spec, link->index);
  }
}

bool SiteTunnels::note_belt(const std::string& counters) {
  const Result<BeltCounters> now = read_belt_counters(counters);
  if (!now) return false;
  const auto sum = [](const BeltCounters& all) {
    return all.output_packets + all.forward_packets + all.spoofed_packets;
  };
  if (sum(*now) > (belt_ ? sum(*belt_) : 0)) {
    ports_.log.warning(
        "tunnel",
        "packets of the compute network outside a tunnel were stopped: {} of this box, "
        "{} passing through, {} that came in",
        now->output_packets, now->forward_packets, now->spoofed_packets);
  }
  belt_ = *now;
  return true;
}

void SiteTunnels::keep_rules(const Membership* membership, bool up) {
  BeltInput belt;
  if (membership == nullptr) {
    rules_.want("belt", "nft", {"--file", "-"}, belt_removal(), true);
    rules_.look_after("belt", {}, {});
    rules_.keep_only("shaping of ", {});
    return;
  }
  belt.prefixes = inner_destinations(*membership);
  belt.address = membership->address;
  for (const SitePart& part : site_parts_) belt.site.push_back({part.link, part.net});
  belt.nodes = nodes_in_site();
  for (const UplinkSeen& uplink : uplinks_) {
    if (up && settings_.outer_dscp != 0) {
      belt.outer.push_back({uplink_mark(uplink.number), settings_.outer_dscp});
    }
  }
  rules_.want("belt", "nft", {"--file", "-"}, belt_ruleset(belt));
  rules_.look_after("belt",
                    {"--json", "list", "counters", "table", "inet", std::string(kBeltTable)},
                    [this](const std::string& output) { return note_belt(output); });
  if (up) return keep_shaping();
  rules_.keep_only("shaping of ", {});
}

void SiteTunnels::keep_shaping() {
  std::set<std::string> shaped_links;
  for (const auto& [number, line] : lines_) {
    const ports::LinkState* link = link_named(network_, interface_of(number));
    if (link == nullptr || line->leaving) continue;
    ShapingInput shape;
    shape.interface = link->name;
    const auto rate = settings_.rates_up.find(line->uplink);
    if (rate != settings_.rates_up.end()) shape.rate_bits = rate->second;
    if (line->line.name().transport == Transport::udp6) shape.outer = Family::v6;
    const bool shaped = is_shaped(shape);
    // With its index: another interface of the same name is without.
    const std::string subject = fmt::format("shaping of {} ({})", link->name, link->index);
    shaped_links.insert(subject);
    rules_.want(subject, "tc", {"-force", "-batch", "-"},
                shaped ? shaping_batch(shape) : shaping_removal(link->name), !shaped);
  }
  rules_.keep_only("shaping of ", shaped_links);
}

}  // namespace sluice::tunnel
