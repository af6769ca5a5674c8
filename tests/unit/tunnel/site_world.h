// A site and its compute network in virtual time: this machine (site_kernel.h), the operator
// (site_operator.h), and the wires between the uplinks and the PoPs. wan0 is preferred.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "firmware/tunnel/drill.h"
#include "firmware/tunnel/probe_packet.h"
#include "firmware/tunnel/site_tunnels.h"
#include "tests/script/memory.h"
#include "tests/script/sim_time.h"
#include "tests/unit/tunnel/net_world.h"
#include "tests/unit/tunnel/site_kernel.h"
#include "tests/unit/tunnel/site_operator.h"

namespace sluice::site_test {

using tunnel_test::FakeDatagrams;

// The date of the box; the true one passes with the clock.
class BoxDate : public ports::Calendar, public ports::DateSetter {
 public:
  explicit BoxDate(const script::SimClock& clock) : truth_(clock) {}
  Duration ahead;  // of the truth
  bool may_set = true;
  int sets = 0;
  Date truth() const { return truth_.now(); }
  Date now() const override { return truth() + ahead; }
  Result<void> set(Date date) override {
    if (!may_set) return Error{ErrorKind::refused, "date", "no permission to set the date"};
    ++sets;
    ahead = date - truth();
    return {};
  }

 private:
  script::SimCalendar truth_;
};

class LogLines : public Log {
 public:
  std::vector<std::string> lines;
  bool enabled(LogLevel level) const override { return level != LogLevel::debug; }
  void write(LogLevel, std::string_view, std::string_view line) override {
    lines.emplace_back(line);
  }
  int count(std::string_view with) const {
    return static_cast<int>(std::count_if(
        lines.begin(), lines.end(),
        [with](const std::string& line) { return line.find(with) != std::string::npos; }));
  }
};

class RandomSecrets : public ports::Secrets {
 public:
  std::string bytes(size_t count) override {
    std::string out;
    while (out.size() < count) out += static_cast<char>(random_.next());
    return out;
  }

 private:
  script::SimRandom random_{77};
};

// Connections to the PoPs: taken after a round trip, and the hello answered after another.
class PopDialers : public ports::Dialers {
 public:
  PopDialers(const BoxDate& date, ports::Timers& timers) : date_(date), later_(timers) {}
  bool open = true;
  int hellos = 0;  // that were answered
  Duration round_trip = Duration::ms(20);

  std::unique_ptr<ports::Dialer> by(const ports::OutboundWay&) override {
    auto dialer = std::make_unique<tunnel_test::FakeDialer>();
    dialer->on_ask = [this](tunnel_test::FakeDialer::Asked& asked) {
      if (!open) return;
      // The dialer may end before; the connection's end tells.
      later_.in(round_trip, [this, &asked, wire = std::weak_ptr<script::Wire>(asked.wire)] {
        if (!wire.expired() && asked.sink != nullptr) take(asked);
      });
    };
    return dialer;
  }

 private:
  void take(tunnel_test::FakeDialer::Asked& asked) {
    const std::shared_ptr<script::Wire> wire = asked.wire;
    tunnel_test::FakeDialer::connect(asked);
    auto hello = tunnel::decode_probe(
        std::string_view(wire->written).substr(tunnel::kShimLengthBytes), kProbeKey);
    REQUIRE(hello);
    hello->kind = tunnel::ProbeKind::hello_answer;
    hello->date = date_.truth() + round_trip / 2;
    hello->seen_source = IpEndpoint{tunnel_test::ip("203.0.113.5"), 40000};
    const std::string answer =
        tunnel::shim_frame(tunnel::encode_probe(*hello, tunnel::kProbeBytesMin, kProbeKey));
    later_.in(round_trip, [this, wire, answer] {
      if (wire->closed) return;
      ++hellos;
      wire->sink->on_bytes(answer);
    });
  }

  const BoxDate& date_;
  tunnel_test::Later later_;
};

// Between an uplink and the PoPs.
struct Wire {
  Duration round_trip = Duration::ms(20);
  bool cut = false;
  int mtu = 1500;             // outer; what is larger vanishes
  bool asks_pass = true;      // questions outside the tunnels
  std::set<IpAddress> mute;   // hosts that do not answer those
  std::set<uint16_t> rotten;  // our ports that an address translation on the way has forgotten
};

// What answers plain requests beside the tunnels: the operator, or a portal in between.
class ModelWeb {
 public:
  ModelWeb(const ports::Clock& now, ports::Timers& timers) : clock(now), later(timers) {}
  const ports::Clock& clock;
  tunnel_test::Later later;
  bool portal = false;
  std::vector<Instant> asked;
};

class Web : public ports::HttpClient {
 public:
  explicit Web(ModelWeb& web) : web_(web) {}
  std::unique_ptr<ports::HttpCall> call(ports::HttpCallSpec, ports::HttpCallSink& sink) override {
    web_.asked.push_back(web_.clock.now());
    auto wanted = std::make_shared<bool>(true);
    web_.later.in(Duration::ms(30), [this, wanted, &sink] {
      if (!*wanted) return;
      ports::HttpResponseHead head;
      head.status = web_.portal ? 302 : 204;
      if (web_.portal) head.fields.add("Location", "http://login.example/");
      sink.on_head(head);
      if (*wanted) sink.on_end();
    });
    return std::make_unique<WantedCall>(wanted);
  }

 private:
  ModelWeb& web_;
};

class World : public tunnel::CarriageSink {
 public:
  struct Told {
    Instant when;
    std::optional<tunnel::Carriage> carriage;  // interactive
  };

  explicit World(ports::NetworkState machine = tunnel::converge::machine())
      : links(timers, std::move(machine)) {
    datagrams.network = [this](const FakeDatagrams::Sent& sent) { return carry(sent); };
    links.after_change = [this] { look_for_leaks(); };
    settings.tcp443 = false;
    wires["wan1"].round_trip = Duration::ms(40);
    make();
  }

  script::SimClock clock;
  script::SimTimers timers{clock};
  BoxDate date{clock};
  script::SimRandom random{5};
  RandomSecrets secrets;
  script::MemoryFiles files;
  LogLines log;
  FakeDatagrams datagrams{clock, timers};
  tunnel_test::FakeNames names{timers};
  PopDialers dialers{date, timers};
  ModelLinks links;
  ModelWireGuard wireguard{timers, links};
  ModelPrograms programs{clock, timers};
  ModelOperator op{clock, timers};
  std::map<std::string, Wire> wires;  // by interface
  tunnel::SiteSettings settings;
  std::vector<Told> told;
  bool guarded = false;  // the network may be reached through a tunnel only
  int leaks = 0;
  int wheres = 0;               // questions outside the tunnels
  ModelWeb web{clock, timers};  // plain HTTP beside the tunnels
  std::unique_ptr<tunnel::SiteTunnels> site;

  // The process ends and another one begins: kernel and data planes stay.
  void make() {
    tunnel::TunnelPorts world{clock,     date,      date,    timers,   links,
                              wireguard, datagrams, dialers, programs, names,
                              files,     random,    secrets, nullptr,  log};
    world.http = [this](const std::string&) -> ports::HttpClient& { return op; };
    world.plain_http = [this](ports::Dialer&) { return std::make_unique<Web>(web); };
    site.reset();
    site = std::make_unique<tunnel::SiteTunnels>(std::move(world), "state", "box", *this);
  }
  void start() {
    site->configure(settings);
    site->start();
  }
  void restart() {
    make();
    start();
  }
  void join() {
    std::optional<Result<void>> joined;
    site->join({"http://127.0.0.1:8080", "tok-1", ""}, "test",
               [&joined](Result<void> result) { joined = std::move(result); });
    pass(Duration::ms(100));
    REQUIRE(joined);
    REQUIRE(*joined);
  }
  // Joined, and everything up for half a minute.
  void settle_in() {
    start();
    join();
    pass(Duration::seconds(30));
    REQUIRE(chosen() == "wan0/north/udp4");
    REQUIRE(by(tunnel::TrafficClass::interactive) == "slw0");
    guarded = true;
    told.clear();
    log.lines.clear();
    links.changes.clear();
    wireguard.changes.clear();
  }
  void pass(Duration time) { timers.pass(time); }
  // Until it is so. Errors: it did not become so in time.
  std::optional<Duration> until(const std::function<bool()>& so, Duration most) {
    const Instant begin = clock.now();
    while (!so()) {
      const auto next = timers.next();
      if (!next || *next > begin + most) return std::nullopt;
      timers.leap();
    }
    return clock.now() - begin;
  }

  std::string chosen(tunnel::TrafficClass traffic = tunnel::TrafficClass::interactive) const {
    for (const tunnel::ClassView& view : site->tunnels().classes) {
      if (view.traffic == traffic) return view.path;
    }
    return "";
  }
  // By which interface packets to the network leave; nothing: they are rejected.
  std::optional<std::string> by(tunnel::TrafficClass traffic) const {
    return links.leaves_by(tunnel_test::ip("10.88.0.9"), tunnel::mark_of(traffic));
  }
  tunnel::PathView path(const std::string& name) const {
    for (const tunnel::PathView& view : site->tunnels().paths) {
      if (view.name.text() == name) return view;
    }
    return {};
  }
  std::string findings() const {
    std::string out;
    for (const tunnel::Words& one : site->tunnels().findings) out += one.en + "\n";
    return out;
  }
  bool carries() const {
    const auto now = site->carriage(tunnel::TrafficClass::interactive);
    return now && now->carries;
  }
  const tunnel::SwitchView& last_switch() const {
    switches_ = site->tunnels().switches;
    REQUIRE(!switches_.empty());
    return switches_.back();
  }
  void on_carriage_changed() override {
    told.push_back(
        {clock.now(), site ? site->carriage(tunnel::TrafficClass::interactive) : std::nullopt});
  }

 private:
  // The kernel's tables, as they are at every moment.
  void look_for_leaks() {
    if (!guarded) return;
    for (const uint32_t mark : {0U, tunnel::mark_of(tunnel::TrafficClass::interactive),
                                tunnel::mark_of(tunnel::TrafficClass::bulk)}) {
      const auto out = links.leaves_by(tunnel_test::ip("10.88.0.9"), mark);
      if (out && !out->starts_with(tunnel::kInterfacePrefix)) ++leaks;
    }
  }
  Wire* wire_of(const std::optional<std::string>& interface) {
    const ports::LinkState* link = interface ? links.link(*interface) : nullptr;
    if (link == nullptr || !link->up || !link->carrier) return nullptr;
    return &wires[*interface];
  }
  Result<void> carry(const FakeDatagrams::Sent& sent) {
    datagrams.sent.clear();  // of days there would be too many
    const std::string& interface = sent.spec.way.interface;
    return interface.starts_with(tunnel::kInterfacePrefix) ? carry_inside(sent)
                                                           : carry_outside(sent);
  }
  Result<void> carry_outside(const FakeDatagrams::Sent& sent) {
    ++wheres;
    Wire* wire = wire_of(sent.spec.way.interface);
    if (wire == nullptr) return Error{ErrorKind::gone, "udp", "network is unreachable"};
    auto asked = tunnel::decode_probe(sent.bytes, kProbeKey);
    if (wire->cut || !wire->asks_pass || wire->mute.contains(sent.to.address)) return {};
    if (!asked || asked->kind != tunnel::ProbeKind::where) return {};
    asked->kind = tunnel::ProbeKind::where_answer;
    asked->date = date.truth() + wire->round_trip / 2;
    asked->seen_source = IpEndpoint{tunnel_test::ip("203.0.113.5"), sent.from.port};
    datagrams.deliver(sent.socket, sent.to,
                      tunnel::encode_probe(*asked, sent.bytes.size(), kProbeKey), wire->round_trip);
    return {};
  }
  Result<void> carry_inside(const FakeDatagrams::Sent& sent) {
    const ports::LinkState* link = links.link(sent.spec.way.interface);
    if (link == nullptr || !link->up) return Error{ErrorKind::gone, "udp", "network is down"};
    const int size = static_cast<int>(sent.bytes.size()) + 28;
    if (size > link->mtu) return Error{ErrorKind::refused, "udp", "message too long"};
    Duration delay;
    Wire* wire = way_of(wireguard.devices.at(link->name), delay);
    if (wire == nullptr || size + 60 > wire->mtu || programs.cut == link->name) return {};
    auto packet = tunnel::decode_probe(sent.bytes, kProbeKey);
    REQUIRE(packet);
    packet->kind = tunnel::ProbeKind::echo_answer;
    packet->date = date.truth();
    packet->seen = ++seen_[{packet->lane, packet->traffic, packet->start}];
    datagrams.deliver(sent.socket, sent.to,
                      tunnel::encode_probe(*packet, sent.bytes.size(), kProbeKey), delay);
    return {};
  }
  // What carries a packet of this device to its lane and back; null: nothing does.
  Wire* way_of(ModelWireGuard::Device& device, Duration& delay) {
    ports::WgState& state = device.state;
    if (!device.runs || state.peers.empty() || !state.peers.front().endpoint) return nullptr;
    ports::WgPeerState& peer = state.peers.front();
    const ModelOperator::Lane* lane = op.lane(peer.public_key);
    const auto out = links.leaves_by(peer.endpoint->address, state.mark);
    Wire* wire = wire_of(out);
    if (wire == nullptr || wire->cut || wire->rotten.contains(state.listen_port)) return nullptr;
    const std::vector<IpPrefix>& own = links.link(*out)->addresses;
    const auto has_source = [&own, &device] {
      return std::any_of(own.begin(), own.end(),
                         [&](const IpPrefix& one) { return one.address == *device.source; });
    };
    if (!device.source && !own.empty()) device.source = own.front().address;
    if (!device.source || !has_source() || lane == nullptr || lane->peer != state.public_key) {
      return nullptr;
    }
    const auto pop = op.pops.find(lane->pop);
    if (pop == op.pops.end()) return nullptr;
    if (*peer.endpoint != IpEndpoint{tunnel_test::ip(pop->second), lane->port}) return nullptr;
    delay = wire->round_trip;
    const bool fresh = device.session && device.session_with == state.public_key &&
                       clock.now() - *device.session < Duration::seconds(120);
    if (fresh) return wire;
    // A handshake, dated by the box; the PoP remembers the latest date.
    const auto last = op.remembered.find(state.public_key);
    if (last != op.remembered.end() && last->second >= date.now()) return nullptr;
    op.remembered[state.public_key] = date.now();
    device.session = clock.now();
    device.session_with = state.public_key;
    peer.last_handshake = date.now();
    delay = delay * 2;
    return wire;
  }

  std::map<std::tuple<uint16_t, tunnel::TrafficClass, uint64_t>, uint32_t> seen_;
  mutable std::vector<tunnel::SwitchView> switches_;
};

}  // namespace sluice::site_test
