#include "firmware/tunnel/uplink_probe.h"

#include <algorithm>

#include "firmware/base/check.h"

namespace sluice::tunnel {

namespace {

using Family = IpAddress::Family;

// Outer packets that people's networks are known to carry: Ethernet, PPPoE (1492) and what tunnels,
// mobile networks and providers leave of them.
constexpr int kSizes[] = {1500, 1492, 1480, 1472, 1460, 1452, 1440, 1420,
                          1400, 1380, 1340, 1300, 1280, 1200, 1000, 576};
constexpr int kSizeTries = 3;
constexpr int kLargest = 1500;

// IP and UDP headers.
constexpr int overhead(Family family) { return family == Family::v4 ? 20 + 8 : 40 + 8; }

bool is_local(const IpAddress& address) { return address.is_private() || address.is_shared(); }

}  // namespace

const char* to_text(Nat nat) {
  switch (nat) {
    case Nat::unknown:
      return "unknown";
    case Nat::none:
      return "none";
    case Nat::easy:
      return "easy";
    case Nat::hard:
      return "hard";
  }
  ENSURE(false);
}

bool UplinkFinding::reaches(Family family) const {
  return std::any_of(hosts.begin(), hosts.end(), [family](const WhereFinding& one) {
    return one.host.family == family && one.reachable;
  });
}

Nat nat_of(const UplinkFinding& finding, const std::vector<IpPrefix>& own) {
  Nat nat = Nat::unknown;
  for (const WhereFinding& host : finding.hosts) {
    if (host.host.family != Family::v4 || !host.seen) continue;
    const bool is_own = std::any_of(own.begin(), own.end(), [&host](const IpPrefix& prefix) {
      return prefix.address == host.seen->address;
    });
    if (is_own) {
      if (nat == Nat::unknown) nat = Nat::none;
    } else if (host.seen_other && *host.seen_other != *host.seen) {
      return Nat::hard;
    } else if (host.seen_other || nat != Nat::unknown) {
      nat = Nat::easy;
    }
  }
  return nat;
}

bool is_double_nat(const UplinkFinding& finding, const std::vector<IpPrefix>& own) {
  return nat_of(finding, own) != Nat::none && finding.hops[0] && is_local(*finding.hops[0]) &&
         finding.hops[1] && is_local(*finding.hops[1]) && *finding.hops[0] != *finding.hops[1];
}

// Which question belongs to what.
class UplinkProbe::Asking final : public WhereSink {
 public:
  Asking(const UplinkProbePorts& ports, UplinkProbeSpec spec, UplinkProbeSink& sink)
      : ports_(ports),
        spec_(std::move(spec)),
        sink_(sink),
        tell_(ports.timers.make([this] { tell(); })) {}

  void start() {
    move_to(State::asking);
    finding_.uplink = spec_.uplink;
    asks_ = std::make_unique<WhereAsks>(ports_.clock, ports_.timers, ports_.random,
                                        ports_.datagrams, spec_.identity, *this);
    list_hosts();
    ask_hosts(Family::v4);
    ask_hosts(Family::v6);
    if (spec_.hops) ask_hops();
    finish_if_over();
  }

 private:
  enum class State {
    waiting,  // -> asking
    asking,   // -> telling
    telling,  // -> over
    over,
  };
  enum class What { port, other_port, hop, size };
  struct Purpose {
    What what = What::port;
    size_t host = 0;
    int number = 0;  // of a hop, from 0; bytes of a size
    Family family = Family::v4;
  };

  void move_to(State next) {
    ENSURE(static_cast<int>(next) == static_cast<int>(state_) + 1);
    state_ = next;
  }

  void list_hosts() {
    const size_t pops = std::min(spec_.pops.size(), kAskedPopsMax);
    for (size_t i = 0; i < pops; ++i) {
      const AskedPop& pop = spec_.pops[i];
      const size_t hosts = std::min(pop.hosts.size(), kAskedHostsMax);
      for (size_t k = 0; k < hosts; ++k) {
        WhereFinding host;
        host.pop = pop.name;
        host.host = pop.hosts[k];
        finding_.hosts.push_back(host);
        ports_of_.push_back(pop.where_port);
      }
    }
  }

  std::optional<size_t> open(Family family, int hops_max, bool never_fragment, Error* error) {
    ports::DatagramSpec socket;
    socket.family = family;
    socket.way = spec_.way;
    socket.hops_max = hops_max;
    socket.never_fragment = never_fragment;
    const Result<size_t> number = asks_->open(socket);
    if (number) return *number;
    *error = number.error();
    return std::nullopt;
  }

  void ask(size_t socket, const IpEndpoint& to, size_t bytes, const Purpose& purpose) {
    const int tries = purpose.what == What::size ? kSizeTries : kWhereTries;
    const std::optional<size_t> question = asks_->ask(socket, to, bytes, tries);
    if (!question) return;
    ENSURE(*question == purposes_.size());
    purposes_.push_back(purpose);
  }

  // Both ports from one socket: what translates addresses shows whether it minds the destination.
  void ask_hosts(Family family) {
    std::optional<size_t> socket;
    Error error;
    for (size_t i = 0; i < finding_.hosts.size(); ++i) {
      WhereFinding& host = finding_.hosts[i];
      if (host.host.family != family) continue;
      if (!socket && error.text.empty()) socket = open(family, 0, false, &error);
      if (!socket) {
        host.trouble = error.text;
        continue;
      }
      const uint16_t port = ports_of_[i];
      ask(*socket, {host.host, port}, kProbeBytesMin, {What::port, i, 0, family});
      const uint16_t other = static_cast<uint16_t>(port + 1);
      ask(*socket, {host.host, other}, kProbeBytesMin, {What::other_port, i, 0, family});
    }
  }

  void ask_hops() {
    for (size_t i = 0; i < finding_.hosts.size(); ++i) {
      if (finding_.hosts[i].host.family != Family::v4) continue;
      for (int hop = 0; hop < kHopsAsked; ++hop) {
        Error error;
        const std::optional<size_t> socket = open(Family::v4, hop + 1, false, &error);
        if (!socket) return;
        ask(*socket, {finding_.hosts[i].host, ports_of_[i]}, kProbeBytesMin,
            {What::hop, i, hop, Family::v4});
      }
      return;
    }
  }

  // Of the first host of its family that answers.
  void ask_sizes(size_t host) {
    const Family family = finding_.hosts[host].host.family;
    bool& asked = family == Family::v4 ? sizes4_asked_ : sizes6_asked_;
    if (!spec_.mtu || asked) return;
    asked = true;
    note_size(family, static_cast<int>(kProbeBytesMin) + overhead(family));
    Error error;
    const std::optional<size_t> socket = open(family, 0, true, &error);
    if (!socket) return;
    const int ceiling = std::min(spec_.link_mtu, kLargest);
    std::vector<int> sizes(std::begin(kSizes), std::end(kSizes));
    if (std::find(sizes.begin(), sizes.end(), ceiling) == sizes.end()) sizes.push_back(ceiling);
    for (const int size : sizes) {
      const int bytes = size - overhead(family);
      if (size > ceiling || bytes < static_cast<int>(kProbeBytesMin)) continue;
      ask(*socket, {finding_.hosts[host].host, ports_of_[host]}, static_cast<size_t>(bytes),
          {What::size, host, size, family});
    }
  }

  void note_size(Family family, int size) {
    int& mtu = family == Family::v4 ? finding_.mtu4 : finding_.mtu6;
    mtu = std::max(mtu, size);
    for (size_t i = 0; i < purposes_.size(); ++i) {
      const Purpose& one = purposes_[i];
      if (one.what == What::size && one.family == family && one.number < mtu) asks_->drop(i);
    }
  }

  void on_where_settled(size_t question) override {
    const Purpose purpose = purposes_[question];
    const WhereAnswer& answer = asks_->answer(question);
    switch (purpose.what) {
      case What::port:
      case What::other_port:
        note_host(purpose, answer);
        break;
      case What::hop:
        finding_.hops[static_cast<size_t>(purpose.number)] = answer.ended_by;
        break;
      case What::size:
        if (answer.answered) note_size(purpose.family, purpose.number);
        break;
    }
    finish_if_over();
  }

  void note_host(const Purpose& purpose, const WhereAnswer& answer) {
    WhereFinding& host = finding_.hosts[purpose.host];
    if (!answer.answered) {
      if (!host.reachable && !answer.trouble.empty()) host.trouble = answer.trouble;
      return;
    }
    host.round_trip =
        host.reachable ? std::min(host.round_trip, answer.round_trip) : answer.round_trip;
    host.reachable = true;
    host.trouble.clear();
    host.cloned = host.cloned || answer.packet.identity_elsewhere;
    host.stopping = host.stopping || answer.packet.pop_stopping;
    (purpose.what == What::port ? host.seen : host.seen_other) = answer.packet.seen_source;
    note_date(host.pop, answer);
    if (purpose.what == What::port) ask_sizes(purpose.host);
  }

  // The PoP wrote its date half way, give or take the other half.
  void note_date(const std::string& pop, const WhereAnswer& answer) {
    const Duration half = answer.round_trip / 2;
    if (finding_.clock && finding_.clock->uncertainty <= half) return;
    const Date received = ports_.calendar.now() + (answer.received - ports_.clock.now());
    finding_.clock = ClockFinding{answer.packet.date + half - received, half, pop};
    finding_.date = pop_date(pop, answer.packet.date, answer.received, answer.round_trip);
  }

  void finish_if_over() {
    if (state_ != State::asking || asks_->open_questions() > 0) return;
    move_to(State::telling);
    tell_->start(Duration());
  }

  void tell() {
    move_to(State::over);
    asks_.reset();
    const UplinkFinding finding = finding_;  // the sink may destroy this
    sink_.on_uplink_probed(finding);
  }

  // Fixed after construction.
  const UplinkProbePorts ports_;
  const UplinkProbeSpec spec_;
  UplinkProbeSink& sink_;

  // Changes.
  State state_ = State::waiting;
  UplinkFinding finding_;
  std::vector<uint16_t> ports_of_;  // where_port of each host
  std::vector<Purpose> purposes_;   // of each question
  bool sizes4_asked_ = false;
  bool sizes6_asked_ = false;
  std::unique_ptr<ports::Timer> tell_;
  std::unique_ptr<WhereAsks> asks_;
};

UplinkProbe::UplinkProbe(const UplinkProbePorts& ports, UplinkProbeSpec spec, UplinkProbeSink& sink)
    : asking_(std::make_unique<Asking>(ports, std::move(spec), sink)) {}

UplinkProbe::~UplinkProbe() = default;

void UplinkProbe::start() { asking_->start(); }

}  // namespace sluice::tunnel
