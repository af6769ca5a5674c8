#include "firmware/tunnel/site_tunnels.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "firmware/tunnel/site_line.h"

namespace sluice::tunnel {

SiteTunnels::SiteTunnels(TunnelPorts ports, std::string state_folder, std::string box_name,
                         CarriageSink& sink)
    : ports_(std::move(ports)),
      sink_(sink),
      desk_({ports_.files, ports_.secrets, ports_.random, ports_.timers, ports_.clock,
             ports_.calendar, ports_.http, ports_.log},
            state_folder, std::move(box_name), [this] { soon(); }),
      book_(ports_.names, ports_.timers, ports_.clock, *this),
      floor_(ports_.files, state_folder),
      switch_({ports_.clock, ports_.calendar, ports_.links, ports_.files, ports_.log},
              state_folder),
      rules_(ports_.programs, ports_.clock, ports_.log),
      watch_({ports_.clock, ports_.calendar, ports_.timers, ports_.random, ports_.datagrams},
             [this] { on_date_told(); }),
      portals_({ports_.clock, ports_.timers, ports_.dialers, ports_.plain_http},
               [this] { soon(); }),
      tick_(ports_.timers.make([this] { tick(); })),
      soon_(ports_.timers.make([this] { look(); })),
      again_(ports_.timers.make([this] { choose(); })) {}

SiteTunnels::~SiteTunnels() {
  *alive_ = false;
  stop();
}

void SiteTunnels::configure(SiteSettings settings) {
  settings_ = std::move(settings);
  switch_.hold_still(!settings_.failover);
  for (const auto& [number, line] : lines_) line->line.prober().set_settings(settings_.path);
  soon();
}

void SiteTunnels::start() {
  running_ = true;
  if (Result<void> loaded = desk_.load(); !loaded) {
    ports_.log.error("tunnel", "{}", loaded.error().text);
    network_trouble_ = loaded.error().text;
  }
  switch_.open();
  remember_uplinks();
  // A drill of an earlier run that did not come to its end.
  if (membership() != nullptr) undo_drill();
  ports_.links.watch(this);
  judge_date();
  // At once: before anybody here sends, what is for the network has no other way than the tunnels.
  look();
  tick_->start(kTick);
}

void SiteTunnels::stop() {
  if (!running_) return;
  running_ = false;
  ports_.links.watch(nullptr);
  tick_->stop();
  soon_->stop();
  again_->stop();
  drill_.reset();
  lines_.clear();
}

void SiteTunnels::soon() {
  if (!running_ || soon_->is_running()) return;
  const Instant now = ports_.clock.now();
  soon_->start(looked_at_ ? std::max(Duration(), *looked_at_ + kLookEvery - now) : Duration());
}

// At once for what an uplink lost or got: its traffic moves in this turn.
void SiteTunnels::on_network_changed(const std::vector<int>& links) {
  const bool urgent = std::any_of(uplinks_.begin(), uplinks_.end(), [&links](const auto& uplink) {
    return uplink.link != 0 && std::find(links.begin(), links.end(), uplink.link) != links.end();
  });
  urgent ? look() : soon();
}

void SiteTunnels::on_line_changed(int) { soon(); }

void SiteTunnels::on_address_changed(const std::string&, IpAddress::Family) { soon(); }

void SiteTunnels::on_path_changed(int) { choose(); }

void SiteTunnels::tick() {
  tick_->start(kTick);
  changing_looks_left_ = kChangingLooksMax;
  judge_date();
  desk_.poll();
  rules_.poll();
  const Membership* member = membership();
  if (is_up()) {
    for (const auto& [number, line] : lines_) {
      line->line.poll();
      care_for(*line, *member);
    }
    judge_addresses();
    renew_paths(*member);
    watch_.poll(uplinks_, *member, book_, unwell());
    portals_.poll(uplinks_, lifeless(), portal_origin(settings_.check_url, member->operator_url));
  }
  look();
}

// Uplinks that paths are named after: a start before the system has brought them up forgets none,
// and their numbers stay.
void SiteTunnels::remember_uplinks() {
  if (membership() == nullptr || !uplinks_.empty()) return;
  for (const MemberPath& path : membership()->paths) {
    const std::string& name = path.name.uplink;
    if (name == kAnyUplink || find_uplink(uplinks_, name) != nullptr) continue;
    if (uplinks_.size() == static_cast<size_t>(kUplinksMax)) return;
    UplinkSeen uplink;
    uplink.number = static_cast<int>(uplinks_.size());
    uplink.name = uplink.interface = name;
    uplinks_.push_back(std::move(uplink));
  }
}

// Where the traffic goes now, and what that means to those who send.
void SiteTunnels::choose() {
  const std::vector<PathView> paths = views();
  // At once: who is told of a first path sends by it.
  if (switch_.choose(paths, losses(), network_, settings_.path) && running_) {
    soon_->start(Duration());
  }
  for (const auto& [number, line] : lines_) {
    line->line.prober().set_carrying(switch_.chosen(TrafficClass::interactive) == number,
                                     switch_.chosen(TrafficClass::bulk) == number);
  }
  if (const auto again = switch_.again()) {
    again_->start(std::max(Duration(), *again - ports_.clock.now()));
  }
  if (drill_) drill_->step();
  if (routes_mtu() != routes_mtu_) soon();
  std::vector<IpPrefix> behind =
      membership() != nullptr ? membership()->prefixes : std::vector<IpPrefix>();
  for (const SitePart& part : site_parts_) behind.push_back(part.net);
  bool changed = told_prefixes_ != behind;
  told_prefixes_ = std::move(behind);
  for (const TrafficClass traffic : {TrafficClass::interactive, TrafficClass::bulk}) {
    std::optional<Carriage>& told = told_[static_cast<size_t>(traffic)];
    std::optional<Carriage> now = carriage(traffic);
    if (now == told) continue;
    told = std::move(now);
    changed = true;
  }
  if (changed) sink_.on_carriage_changed();
}

std::vector<PathView> SiteTunnels::views() const {
  std::vector<PathView> views;
  for (const auto& [number, line] : lines_) {
    if (line->leaving) continue;
    PathView view;
    view.name = line->line.name();
    view.number = number;
    line->line.prober().fill(view);
    view.metered = line->metered;
    view.preference = line->preference;
    if (membership() != nullptr && !membership()->can_probe()) {
      view.state = line->unprobed;
      view.since = line->unprobed_since;
      if (line->unprobed == PathState::good) view.proof = ports_.clock.now();
    }
    const auto add = [&view](const Words& words) {
      if (!view.trouble.empty()) return;
      view.trouble = words.en;
      view.trouble_zh = words.zh;
    };
    add(line->trouble);
    add({line->line.trouble(), ""});
    const bool well = view.state == PathState::good || view.state == PathState::degraded;
    if (!well) add(line->diagnosis.words);
    views.push_back(std::move(view));
  }
  return views;
}

std::vector<PathLoss> SiteTunnels::losses() const {
  std::vector<PathLoss> losses;
  for (const auto& [number, line] : lines_) {
    const PathHealth& health = line->line.prober().health();
    PathLoss loss;
    loss.path = number;
    if (health.state() == PathState::dead) loss.cause = health.cause();
    loss.unanswered = health.unanswered();
    losses.push_back(loss);
  }
  return losses;
}

std::optional<Carriage> SiteTunnels::carriage(TrafficClass traffic) const {
  if (membership() == nullptr) return std::nullopt;
  Carriage carriage;
  if (!settings_.on) {
    carriage.why = {"it is behind tunnels, which are switched off (tunnel.mode)",
                    "位于隧道之后，而隧道已关闭（tunnel.mode）"};
    return carriage;
  }
  if (refused_) {
    carriage.why = {
        "it is behind tunnels, which are not brought up: the site's addresses and the "
        "network's collide",
        "位于隧道之后，而隧道未建立：本地地址与算力网络地址冲突"};
    return carriage;
  }
  const std::optional<int> path = switch_.chosen(traffic);
  for (const PathView& view : views()) {
    if (view.number != path) continue;
    carriage.carries = view.state == PathState::good || view.state == PathState::degraded;
    const bool own = traffic == TrafficClass::bulk && view.bulk.probes > 0;
    const PathQuality& quality = own ? view.bulk : view.quality;
    // Whole milliseconds and percents: a change that nobody acts on is none.
    carriage.rtt = Duration::ms((quality.rtt.as_us() + 500) / 1000);
    const double loss = 1 - (1 - quality.loss_out) * (1 - quality.loss_back);
    carriage.loss = static_cast<double>(static_cast<int>(loss * 100 + 0.5)) / 100;
    const auto rate = settings_.rates_up.find(view.name.uplink);
    if (rate != settings_.rates_up.end()) carriage.rate_bits_s = rate->second;
    if (!carriage.carries) {
      carriage.why = {"path " + view.name.text() + " is " + to_text(view.state),
                      "路径 " + view.name.text() + " 状态：" + to_text(view.state)};
    }
  }
  if (!carriage.carries && carriage.why.empty()) {
    carriage.why = {"no path to the compute network is up", "没有可用的算力网络路径"};
  }
  return carriage;
}

bool SiteTunnels::is_behind(const IpAddress& address) const {
  if (membership() == nullptr) return false;
  const std::vector<IpPrefix> prefixes = inner_destinations(*membership());
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

bool SiteTunnels::is_of_site(const IpAddress& address) const {
  return tunnel::is_of_site(site_parts_, address);
}

// What is as it is until somebody changes settings or the site.
std::vector<Words> SiteTunnels::standing_findings() const {
  std::vector<Words> findings = overlaps_;
  if (desk_.left_out() > 0) {
    findings.push_back(
        {fmt::format(
             "{} paths are left out: {} is the most. Name fewer uplinks (tunnel.uplinks), or "
             "switch paths over TCP off (tunnel.tcp443).",
             desk_.left_out(), kPathsMax),
         fmt::format("有 {} 条路径未建立：最多 {} 条。请减少上行线路（tunnel.uplinks）或关闭 TCP "
                     "路径（tunnel.tcp443）。",
                     desk_.left_out(), kPathsMax)});
  }
  if (membership() == nullptr || settings_.on) return findings;
  std::string prefixes;
  for (const IpPrefix& prefix : membership()->prefixes) {
    prefixes += (prefixes.empty() ? "" : ", ") + prefix.text();
  }
  findings.push_back(
      {"The tunnels are switched off, so " + prefixes +
           " of the compute network cannot be reached, and nothing goes there in clear. Set "
           "tunnel.mode to auto, or leave the network (sluiced tunnel leave).",
       "隧道已关闭，因此算力网络的 " + prefixes +
           " 不可达，也不会有数据以明文发往该处。请将 tunnel.mode 设为 auto，或退出该网络"
           "（sluiced tunnel leave）。"});
  return findings;
}

TunnelReport SiteTunnels::tunnels() const {
  TunnelReport report;
  report.on = settings_.on;
  const Membership* member = membership();
  report.joined = member != nullptr;
  if (!network_trouble_.empty()) {
    report.findings.push_back({network_trouble_, "隧道无法开始工作：“" + network_trouble_ + "”"});
  }
  for (Words& words : desk_.troubles()) report.findings.push_back(std::move(words));
  if (!clock_.words.empty()) report.findings.push_back(clock_.words);
  if (!rules_.trouble().empty()) {
    report.findings.push_back(
        {rules_.trouble(), "防火墙或限速规则未能生效：“" + rules_.trouble() + "”"});
  }
  const std::vector<Words> standing = standing_findings();
  report.findings.insert(report.findings.end(), standing.begin(), standing.end());
  for (const std::string& text : failed_) {
    report.findings.push_back({text, "系统内核拒绝了一处网络改动：“" + text + "”"});
  }
  if (undone_) {
    report.findings.push_back(
        {"the machine's network does not stay as the tunnels need it; is "
         "another program changing the routes of protocol 199?",
         "本机的网络配置没有保持隧道所需的状态；是否有其他程序在改动协议号为 "
         "199 的路由？"});
  }
  if (member != nullptr) report.belt = belt_;
  if (member == nullptr || !settings_.on) return report;
  report.backend = ports_.wireguard.backend();
  report.network = member->network;
  report.address = member->address.text();
  for (const IpPrefix& prefix : member->prefixes) report.prefixes.push_back(prefix.text());
  report.paths = views();
  report.classes = switch_.classes(report.paths);
  report.switches = switch_.switches(kSwitchesShown);
  report.switches_total = switch_.count();
  for (const auto& [number, line] : lines_) {
    const Diagnosis& diagnosis = line->diagnosis;
    if (diagnosis.cause == Cause::none || diagnosis.cause == Cause::starting) continue;
    const bool said = std::find(report.findings.begin(), report.findings.end(), diagnosis.words) !=
                      report.findings.end();
    if (!diagnosis.words.empty() && !said) report.findings.push_back(diagnosis.words);
  }
  return report;
}

SiteTunnels::Line* SiteTunnels::line_of(int number) {
  const auto found = lines_.find(number);
  return found == lines_.end() ? nullptr : found->second.get();
}

SiteTunnels::Line* SiteTunnels::line_of(const std::string& interface) {
  for (const auto& [number, line] : lines_) {
    if (interface_of(number) == interface) return line.get();
  }
  return nullptr;
}

void SiteTunnels::on_data_plane_lost(const std::string& interface, const Error& why) {
  Line* line = line_of(interface);
  if (line == nullptr || !running_) return;
  ports_.log.warning("tunnel", "{}: {}", line->line.name().text(), why.text);
  line->line.data_plane_lost();
  choose();
}

void SiteTunnels::on_data_plane_back(const std::string& interface) {
  Line* line = line_of(interface);
  if (line == nullptr || !running_) return;
  line->line.data_plane_back();
  soon();
}

void SiteTunnels::join(const JoinWish& wish, std::string_view author, Done done) {
  ports_.log.info("tunnel", "joining {}, asked by {}", wish.url, author);
  if (!settings_.on) {
    return done(
        Error{ErrorKind::refused, "tunnel", "tunnels are off; set tunnel.mode to auto, then join"});
  }
  desk_.join(wish, std::move(done));
}

void SiteTunnels::import(std::string_view text, std::string_view author, Done done) {
  ports_.log.info("tunnel", "a configuration is imported, asked by {}", author);
  desk_.import(text, std::move(done));
}

void SiteTunnels::rotate(std::string_view author, Done done) {
  const Membership* member = membership();
  if (member == nullptr || member->imported()) {
    return done(Error{ErrorKind::refused, "tunnel",
                      member == nullptr
                          ? "this box has not joined a compute network; there are no keys"
                          : "the keys were given out by the operator; ask there for new ones"});
  }
  ports_.log.info("tunnel", "new keys for every path, asked by {}", author);
  rotation_asked_ = ports_.calendar.now();
  done({});
}

void SiteTunnels::leave(std::string_view author, Done done) {
  // Once the network is not known any more, whoever asks them would do so by the default route.
  std::string behind;
  for (const CloudNode& node : settings_.nodes) {
    if (!is_behind(node.address)) continue;
    behind += fmt::format("{}{} ({})", behind.empty() ? "" : ", ", node.name, node.address.text());
  }
  if (!behind.empty()) {
    return done(Error{ErrorKind::refused, "tunnel",
                      "these nodes are reached through the network: " + behind +
                          "; after leaving they would be asked by the default route, in clear. "
                          "Take them out of the settings, or set enabled: false there, reload, "
                          "then leave"});
  }
  ports_.log.info("tunnel", "leaving the compute network, asked by {}", author);
  desk_.leave(std::move(done));
}

void SiteTunnels::drill(std::string_view author, OnDrill done) {
  if (drill_) {
    return done(Error{ErrorKind::busy, "tunnel", "a rehearsal runs already; wait for it"});
  }
  if (!settings_.failover) {
    return done(Error{ErrorKind::refused, "tunnel",
                      "failover is off, so cutting the path would be an outage; set "
                      "tunnel.failover to auto first"});
  }
  const std::optional<int> first = switch_.chosen(TrafficClass::interactive);
  const std::vector<PathView> paths = views();
  const auto path = std::find_if(paths.begin(), paths.end(), [&first](const PathView& view) {
    return view.number == first && view.state == PathState::good;
  });
  if (path == paths.end()) {
    return done(Error{ErrorKind::busy, "tunnel",
                      "interactive traffic is not on a good path now; nothing is cut on purpose"});
  }
  const bool other = std::any_of(paths.begin(), paths.end(), [&first](const PathView& view) {
    return view.number != first && view.state == PathState::good;
  });
  if (!other) {
    return done(Error{ErrorKind::refused, "tunnel",
                      "there is no other good path: cutting this one would be an outage"});
  }
  ports_.log.warning("tunnel", "rehearsal: {} is cut for a moment, asked by {}", path->name.text(),
                     author);
  switch_.set_drill(true);
  const int number = path->number;
  Drill::Hooks hooks;
  hooks.look = [this, number] {
    Drill::Moment moment;
    moment.path = switch_.chosen(TrafficClass::interactive).value_or(kNoPath);
    const Line* line = line_of(number);
    if (line == nullptr) return moment;
    moment.first_state = line->line.prober().state();
    moment.unanswered = line->line.prober().health().unanswered();
    return moment;
  };
  hooks.come_back = [this, number] {
    ChoiceWish wish;
    wish.only = number;
    switch_.want(TrafficClass::interactive, wish);
    soon();
  };
  hooks.undo = [this] { undo_drill(); };
  hooks.name = [this](int of) {
    const Line* line = line_of(of);
    return line == nullptr ? std::string() : line->line.name().text();
  };
  hooks.done = [this, done = std::move(done)](const Result<DrillReport>& report) {
    switch_.set_drill(false);
    switch_.want(TrafficClass::interactive, {});
    soon();  // which ends it
    done(report);
  };
  drill_ = std::make_unique<Drill>(DrillPorts{ports_.clock, ports_.timers, ports_.programs}, *path,
                                   std::move(hooks));
}

// Until it has worked, whatever becomes of the drill.
void SiteTunnels::undo_drill() {
  rules_.forget("drill");
  rules_.want("drill", "nft", {"--file", "-"}, drill_removal());
}

}  // namespace sluice::tunnel
