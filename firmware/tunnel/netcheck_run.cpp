#include "firmware/tunnel/netcheck_run.h"

#include <algorithm>

#include "firmware/base/check.h"

namespace sluice::tunnel {

namespace {

using Family = IpAddress::Family;

// The TCP port of a lane of this PoP: of this uplink's own path where there is one.
uint16_t shim_port(const Membership& membership, const std::string& pop,
                   const std::string& uplink) {
  uint16_t port = 0;
  for (const MemberPath& path : membership.paths) {
    if (path.name.pop != pop || !path.lane || path.lane->tcp_port == 0) continue;
    if (port == 0 || path.name.uplink == uplink) port = path.lane->tcp_port;
  }
  return port;
}

NetcheckEvidence::Standing standing_of(const NetcheckWish& wish) {
  using Standing = NetcheckEvidence::Standing;
  if (!wish.membership_trouble.empty()) return Standing::unreadable;
  if (!wish.membership) return Standing::not_joined;
  return probe_identity(*wish.membership) ? Standing::joined : Standing::imported;
}

}  // namespace

class NetcheckRun::Uplink final : public PortalSink, public UplinkProbeSink {
 public:
  Uplink(NetcheckRun& run, size_t number)
      : run_(run), number_(number), dialer_(run.ports_.dialers.by(way())) {}

  void ask_portal(const ports::HttpOrigin& origin) {
    http_ = run_.ports_.http(*dialer_);
    portal_ = std::make_unique<PortalCheck>(*http_, run_.ports_.timers, *this);
    ++open_;
    portal_->start(origin);
  }

  void ask_pops(const Membership& membership, const ProbeIdentity& identity) {
    UplinkProbeSpec spec;
    spec.uplink = evidence().seen.name;
    spec.way = way();
    spec.identity = identity;
    spec.hops = true;
    spec.mtu = true;
    spec.link_mtu = evidence().seen.mtu;
    for (const PopEvidence& pop : run_.evidence_.pops) {
      AskedPop asked{pop.name, {}, pop.where_port};
      for (const IpAddress& address : pop.addresses) {
        if (evidence().seen.carries(address.family)) asked.hosts.push_back(address);
      }
      if (asked.hosts.empty()) continue;
      ask_shim(membership, identity, asked);
      if (pop.where_port != 0) spec.pops.push_back(std::move(asked));
    }
    const NetcheckPorts& ports = run_.ports_;
    probe_ = std::make_unique<UplinkProbe>(
        UplinkProbePorts{ports.clock, ports.calendar, ports.timers, ports.random, ports.datagrams},
        std::move(spec), *this);
    ++open_;
    probe_->start();
  }

  bool is_over() const { return open_ == 0; }

 private:
  struct Shim final : ShimAskSink {
    Shim(Uplink& of, size_t place) : uplink(of), number(place) {}
    void on_shim_asked(const ShimAskFinding& finding) override {
      uplink.note_shim(number, finding);
    }
    Uplink& uplink;
    const size_t number;
    std::unique_ptr<ShimAsk> ask;
  };

  UplinkEvidence& evidence() { return run_.evidence_.uplinks[number_]; }

  // By the interface: it works whether or not the daemon has set its marks and rules.
  ports::OutboundWay way() {
    ports::OutboundWay way;
    way.interface = evidence().seen.interface;
    return way;
  }

  // Over v4 where that is to be had, as the daemon does.
  void ask_shim(const Membership& membership, const ProbeIdentity& identity, const AskedPop& pop) {
    const uint16_t port = shim_port(membership, pop.name, evidence().seen.name);
    if (port == 0) return;
    IpAddress host = pop.hosts.front();
    for (const IpAddress& address : pop.hosts) {
      if (address.family < host.family) host = address;
    }
    UplinkEvidence::Shim asked{pop.name, host.family, port, {}, {}};
    asked.finding.trouble = "no answer in time";
    evidence().shims.push_back(asked);
    auto shim = std::make_unique<Shim>(*this, evidence().shims.size() - 1);
    const NetcheckPorts& ports = run_.ports_;
    shim->ask = std::make_unique<ShimAsk>(ports.clock, ports.timers, ports.random, *dialer_,
                                          identity, *shim);
    ++open_;
    shim->ask->start({host.text(), port, ""});
    shims_.push_back(std::move(shim));
  }

  void on_portal_checked(const PortalFinding& finding) override {
    evidence().portal = finding;
    close_one();
  }
  void on_uplink_probed(const UplinkFinding& finding) override {
    evidence().probe = finding;
    close_one();
  }
  void note_shim(size_t number, const ShimAskFinding& finding) {
    UplinkEvidence::Shim& shim = evidence().shims[number];
    shim.finding = finding;
    if (finding.answered) {
      const Duration half = finding.round_trip / 2;
      shim.clock = ClockFinding{finding.date + half - run_.ports_.calendar.now(), half, shim.pop};
    }
    close_one();
  }
  void close_one() {
    ENSURE(open_ > 0);
    --open_;
    run_.finish_if_over();
  }

  NetcheckRun& run_;
  const size_t number_;
  int open_ = 0;  // questions
  std::unique_ptr<ports::Dialer> dialer_;
  std::unique_ptr<ports::HttpClient> http_;
  std::unique_ptr<PortalCheck> portal_;
  std::unique_ptr<UplinkProbe> probe_;
  std::vector<std::unique_ptr<Shim>> shims_;
};

NetcheckRun::NetcheckRun(const NetcheckPorts& ports, NetcheckWish wish, NetcheckSink& sink)
    : ports_(ports),
      wish_(std::move(wish)),
      sink_(sink),
      wake_(ports.timers.make([this] { wake(); })) {}

NetcheckRun::~NetcheckRun() = default;

void NetcheckRun::start() {
  move_to(State::resolving);
  end_ = ports_.clock.now() + kNetcheckMax;
  evidence_.standing = standing_of(wish_);
  evidence_.standing_trouble = wish_.membership_trouble;
  evidence_.floor = wish_.floor;
  evidence_.now = ports_.calendar.now();
  read_links();
  const std::string endpoint = wish_.membership ? wish_.membership->operator_url : "";
  const std::optional<ports::HttpOrigin> origin = portal_origin(wish_.check_url, endpoint);
  if (origin) evidence_.portal_url = origin->text();
  for (size_t i = 0; i < evidence_.uplinks.size(); ++i) {
    uplinks_.push_back(std::make_unique<Uplink>(*this, i));
    if (origin && evidence_.uplinks[i].seen.trouble.empty()) uplinks_[i]->ask_portal(*origin);
  }
  wake_->start(kNetcheckNames);
  resolve_names();
}

void NetcheckRun::read_links() {
  const Result<ports::NetworkState> network = ports_.links.read();
  if (!network) {
    evidence_.network_trouble = network.error().text;
    return;
  }
  const std::vector<UplinkSeen> uplinks = uplinks_seen(*network, wish_.uplinks);
  for (const UplinkSeen& seen : uplinks) {
    UplinkEvidence uplink;
    uplink.seen = seen;
    evidence_.uplinks.push_back(std::move(uplink));
  }
  if (!wish_.membership) return;
  evidence_.network = wish_.membership->network;
  evidence_.overlaps = overlaps(*wish_.membership, *network, uplinks);
}

// Numeric hosts too: they are their own answer.
void NetcheckRun::resolve_names() {
  if (evidence_.standing == NetcheckEvidence::Standing::joined) {
    for (const Pop& pop : wish_.membership->pops) {
      PopEvidence known;
      known.name = pop.name;
      known.region = pop.region;
      known.where_port = pop.where_port;
      known.trouble = "the name server did not answer in time";
      evidence_.pops.push_back(known);
      const size_t number = evidence_.pops.size() - 1;
      for (const std::string& host : pop.hosts) {
        ++names_open_;
        queries_.push_back(ports_.names.resolve(
            host,
            [this, number](Result<std::vector<IpAddress>> answer) { note_name(number, answer); }));
      }
    }
  }
  if (names_open_ == 0) wake_->start(Duration());
}

void NetcheckRun::note_name(size_t pop, const Result<std::vector<IpAddress>>& answer) {
  if (state_ != State::resolving) return;
  PopEvidence& known = evidence_.pops[pop];
  if (!answer) {
    known.trouble = answer.error().text;
  } else {
    for (const IpAddress& address : *answer) {
      const auto end = known.addresses.end();
      if (std::find(known.addresses.begin(), end, address) == end) {
        known.addresses.push_back(address);
      }
    }
  }
  if (--names_open_ == 0) wake_->start(Duration());
}

void NetcheckRun::ask_uplinks() {
  move_to(State::asking);
  wake_->start(std::max(end_ - ports_.clock.now(), Duration()));
  if (evidence_.standing == NetcheckEvidence::Standing::joined) {
    const std::optional<ProbeIdentity> identity = probe_identity(*wish_.membership);
    for (size_t i = 0; i < uplinks_.size(); ++i) {
      if (!evidence_.uplinks[i].seen.trouble.empty()) continue;
      uplinks_[i]->ask_pops(*wish_.membership, *identity);
    }
  }
  finish_if_over();
}

void NetcheckRun::finish_if_over() {
  if (state_ != State::asking) return;
  const bool over = std::all_of(uplinks_.begin(), uplinks_.end(),
                                [](const auto& uplink) { return uplink->is_over(); });
  if (!over) return;
  move_to(State::telling);
  wake_->start(Duration());
}

void NetcheckRun::wake() {
  switch (state_) {
    case State::resolving:
      return ask_uplinks();
    case State::asking:
      evidence_.out_of_time = true;
      move_to(State::telling);
      return tell();
    case State::telling:
      return tell();
    case State::waiting:
    case State::over:
      ENSURE(false);
  }
}

void NetcheckRun::tell() {
  move_to(State::over);
  uplinks_.clear();
  queries_.clear();
  const NetcheckEvidence evidence = evidence_;  // the sink may destroy this
  sink_.on_network_checked(evidence);
}

void NetcheckRun::move_to(State next) {
  ENSURE(static_cast<int>(next) == static_cast<int>(state_) + 1);
  state_ = next;
}

}  // namespace sluice::tunnel
