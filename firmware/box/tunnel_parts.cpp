#include "firmware/box/tunnel_parts.h"

#include <utility>

#include "drivers/http1/http1_client.h"
#include "drivers/netlink/kernel_wireguard.h"
#include "drivers/os/host_name.h"
#include "drivers/uapi/userspace_wireguard.h"
#include "firmware/ports/http_client.h"

namespace sluice::box {

static_assert(settings::kUplinksMax == tunnel::kUplinksMax);

namespace {

using settings::TunnelBackend;

constexpr int64_t kDay = 86'400;

std::optional<IpAddress> address_of(const settings::NodeSettings& node) {
  const Result<ports::HttpOrigin> origin = ports::parse_origin(node.url);
  return origin ? IpAddress::parse(origin->address.host) : std::nullopt;
}

std::vector<tunnel::CloudNode> cloud_nodes(const std::vector<settings::NodeSettings>& nodes) {
  std::vector<tunnel::CloudNode> out;
  for (const settings::NodeSettings& node : nodes) {
    if (!node.enabled || node.place != settings::Place::cloud) continue;
    if (const auto address = address_of(node)) out.push_back({node.name, *address});
  }
  return out;
}

}  // namespace

tunnel::SiteSettings site_settings(const settings::TunnelSettings& settings) {
  tunnel::SiteSettings site;
  site.on = settings.mode == settings::Mode::automatic;
  site.failover = settings.failover == settings::Mode::automatic;
  site.tcp443 = settings.tcp443 == settings::Mode::automatic;
  site.step_clock = settings.step_clock == settings::Mode::automatic;
  for (const settings::UplinkSettings& uplink : settings.uplinks) {
    site.uplinks.push_back(
        {uplink.name, uplink.interface, uplink.metered, static_cast<int>(uplink.preference)});
    if (uplink.rate_up_kbit_s > 0) site.rates_up[uplink.name] = uplink.rate_up_kbit_s * 1000;
  }
  site.path.interval = settings.probe;
  site.path.metered_interval = settings.probe_metered;
  site.path.clean_period = settings.failback;
  site.path.loss_enter = static_cast<double>(settings.degraded_loss_percent) / 100;
  site.path.loss_leave = site.path.loss_enter * 2 / 5;
  site.path.rtt_enter = settings.degraded_rtt;
  site.path.rtt_leave = settings.degraded_rtt * 3 / 4;
  site.key_life = Duration::seconds(settings.key_rotation_days * kDay);
  site.port_life = settings.port_rotation;
  site.check_url = settings.check_url;
  site.outer_dscp = static_cast<uint8_t>(settings.outer_dscp);
  return site;
}

TunnelParts::TunnelParts(const TunnelPartsPorts& ports, const settings::Settings& settings,
                         Callback on_changed)
    : ports_(ports),
      on_changed_(std::move(on_changed)),
      links_(ports.loop),
      datagrams_(ports.loop, ports.clock),
      dialers_(ports.loop, ports.clock, ports.timers),
      programs_(ports.loop, ports.timers),
      names_(ports.loop, ports.timers),
      clients_(ports.loop, ports.plain_http),
      start_(ports.timers.make([this] { site_->start(); })) {
  const settings::TunnelSettings& tunnel = settings.live.tunnel;
  drivers::UserspaceWireGuard* userspace = nullptr;
  if (tunnel.backend == TunnelBackend::kernel ||
      (tunnel.backend == TunnelBackend::automatic && drivers::kernel_has_wireguard())) {
    wireguard_ = std::make_unique<drivers::KernelWireGuard>(ports.timers);
  } else {
    drivers::UserspaceSpec spec;
    spec.program = tunnel.wireguard_go;
    auto made = std::make_unique<drivers::UserspaceWireGuard>(ports.loop, ports.clock, ports.timers,
                                                              ports.log, spec);
    userspace = made.get();
    wireguard_ = std::move(made);
  }
  tunnel::TunnelPorts world{ports.clock, ports.calendar, ports.calendar, ports.timers, links_,
                            *wireguard_, datagrams_,     dialers_,       programs_,    names_,
                            ports.files, ports.random,   ports.secrets,  nullptr,      ports.log};
  world.http = [this](const std::string& ca_file) -> ports::HttpClient& {
    ports::HttpOrigin secure;
    secure.tls = true;  // it speaks plain HTTP to loopback too
    return clients_.of(secure, ca_file);
  };
  world.plain_http = [this](ports::Dialer& dialer) {
    return std::make_unique<drivers::Http1Client>(dialer, ports_.timers, ports_.clock, parsers_);
  };
  tunnel::CarriageSink& sink = *this;
  site_ = std::make_unique<tunnel::SiteTunnels>(std::move(world), settings.start.state_dir,
                                                drivers::host_name(), sink);
  if (userspace != nullptr) userspace->watch(site_.get());
  configure(settings);
}

TunnelParts::~TunnelParts() { site_->stop(); }

void TunnelParts::configure(const settings::Settings& settings) {
  nodes_ = settings.live.nodes;
  tunnel::SiteSettings site = site_settings(settings.live.tunnel);
  site.nodes = cloud_nodes(nodes_);
  site_->configure(std::move(site));
  on_carriage_changed();
}

void TunnelParts::start(bool after_another) {
  if (!after_another) return site_->start();
  start_->start(kSuccessorWait);
}

void TunnelParts::stop() {
  start_->stop();
  site_->stop();
}

// A node is behind the tunnels when its address, written as a number, is one of the network's.
// Where the site has the same addresses, its own nodes are asked there, those in the cloud never.
void TunnelParts::on_carriage_changed() {
  for (const settings::NodeSettings& node : nodes_) {
    sense::NodeState* state = ports_.senses.find(node.name);
    if (state == nullptr) continue;
    const std::optional<IpAddress> address = address_of(node);
    const bool of_site =
        address && node.place == settings::Place::local && site_->is_of_site(*address);
    const tunnel::TrafficClass traffic = node.traffic == settings::Traffic::bulk
                                             ? tunnel::TrafficClass::bulk
                                             : tunnel::TrafficClass::interactive;
    const auto carriage =
        address && !of_site && site_->is_behind(*address) ? site_->carriage(traffic) : std::nullopt;
    std::optional<sense::LinkTold> told;
    if (carriage) {
      told = sense::LinkTold{carriage->carries, carriage->why.en, carriage->rtt, carriage->loss,
                             carriage->rate_bits_s};
    }
    state->link(told, ports_.clock.now());
  }
  on_changed_();
}

}  // namespace sluice::box
