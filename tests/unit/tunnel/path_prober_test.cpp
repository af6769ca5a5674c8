#include "firmware/tunnel/path_prober.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>
#include <map>

#include "tests/script/sim_time.h"
#include "tests/sim/chance.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

const std::string kKey(kProbeKeyBytes, '\x33');
const IpEndpoint kPop = *IpEndpoint::parse("10.88.0.1:51900");

struct NoLog : Log {
  bool enabled(LogLevel) const override { return false; }
  void write(LogLevel, std::string_view, std::string_view) override {}
};

// A wire of 40 ms with a PoP behind it that answers what is authentic, and counts.
class Wire : public ports::Datagrams {
 public:
  explicit Wire(script::SimTimers& timers, const script::SimClock& clock)
      : timers_(timers), clock_(clock) {}

  std::vector<ports::DatagramSpec> opened;
  int refuse_opening = 0;
  bool cut = false;
  int inner_max = 9000;      // larger inner packets vanish
  int interface_max = 9000;  // larger ones cannot be sent
  bool gone = false;         // the interface went away
  ProbePacket told;          // what answers tell
  std::vector<ProbePacket> questions;
  std::vector<size_t> sizes;
  std::string last_answer;

  Result<std::unique_ptr<ports::DatagramSocket>> open(const ports::DatagramSpec& spec,
                                                      ports::DatagramSink& sink) override {
    if (refuse_opening > 0 && --refuse_opening == 0) {
      return Error{ErrorKind::gone, "wire", "no such interface"};
    }
    opened.push_back(spec);
    return std::unique_ptr<ports::DatagramSocket>(std::make_unique<Socket>(*this, sink));
  }
  // Hands bytes to the socket that was opened at this place, in a later turn.
  void deliver(size_t socket, const std::string& bytes, Duration after) {
    const uint64_t id = next_++;
    const Instant due = clock_.now() + after;
    under_way_[id] = timers_.make([this, id, socket, bytes, due] {
      const auto at = sockets_.find(socket);
      if (at != sockets_.end()) at->second->sink.on_datagram(kPop, bytes, due);
      over_.push_back(id);
    });
    under_way_[id]->start(after);
    for (const uint64_t done : over_) under_way_.erase(done);
    over_.clear();
  }

 private:
  struct Socket : ports::DatagramSocket {
    Socket(Wire& on, ports::DatagramSink& to) : wire(on), sink(to), place(on.opened.size() - 1) {
      wire.sockets_[place] = this;
    }
    ~Socket() override { wire.sockets_.erase(place); }
    IpEndpoint local() const override { return {}; }
    Result<void> send(const IpEndpoint& to, std::string_view bytes) override {
      CHECK(to == kPop);
      return wire.take(place, bytes);
    }
    Wire& wire;
    ports::DatagramSink& sink;
    size_t place;
  };
  Result<void> take(size_t socket, std::string_view bytes) {
    const int inner = static_cast<int>(bytes.size()) + 28;
    if (gone) return Error{ErrorKind::gone, "wire", "the interface is gone"};
    if (inner > interface_max) return Error{ErrorKind::refused, "wire", "message too long"};
    const auto question = decode_probe(bytes, kKey);
    REQUIRE(question);
    questions.push_back(*question);
    sizes.push_back(bytes.size());
    if (cut || inner > inner_max) return {};
    ProbePacket answer = *question;
    answer.kind = ProbeKind::echo_answer;
    answer.seen = ++seen_[{question->start, question->traffic}];
    answer.date = told.date;
    answer.pop_stopping = told.pop_stopping;
    answer.identity_elsewhere = told.identity_elsewhere;
    answer.seen_source = told.seen_source;
    last_answer = encode_probe(answer, bytes.size(), kKey);
    deliver(socket, last_answer, Duration::ms(40));
    return {};
  }

  script::SimTimers& timers_;
  const script::SimClock& clock_;
  std::map<size_t, Socket*> sockets_;
  std::map<std::pair<uint64_t, TrafficClass>, uint32_t> seen_;
  std::map<uint64_t, std::unique_ptr<ports::Timer>> under_way_;
  std::vector<uint64_t> over_;
  uint64_t next_ = 1;
};

struct World : ProberSink {
  script::SimClock clock;
  script::SimTimers timers{clock};
  Wire wire{timers, clock};
  sim::Chance chance{5, "prober"};
  NoLog log;
  int told = 0;
  bool inside = false;  // a call of ours is running
  PathProber prober{3, PathSettings(), {clock, timers, wire, chance, log}, *this};

  void on_path_changed(int number) override {
    CHECK(number == 3);
    CHECK_FALSE(inside);
    ++told;
  }
  static ProberSpec spec() {
    ProberSpec spec;
    spec.interface = "slw3";
    spec.source = *IpAddress::parse("10.88.0.2");
    spec.pop = kPop;
    spec.lane = 51824;
    spec.box = 7;
    spec.instance = 8;
    spec.key = kKey;
    spec.mtu = 1420;
    return spec;
  }
  template <class Call>
  auto call(Call what) {
    inside = true;
    struct Leave {
      bool& flag;
      ~Leave() { flag = false; }
    } leave{inside};
    return what();
  }
  void start() {
    REQUIRE(call([this] { return prober.start(spec()); }));
  }
  PathView view() const {
    PathView view;
    prober.fill(view);
    return view;
  }
};

}  // namespace

TEST_CASE("prober: it asks by its interface, both classes with their own mark and DSCP") {
  World world;
  world.start();
  REQUIRE(world.wire.opened.size() == 2);
  for (const ports::DatagramSpec& spec : world.wire.opened) {
    CHECK(spec.way.interface == "slw3");
    CHECK(spec.way.source == IpAddress::parse("10.88.0.2"));
    CHECK(spec.never_fragment);
  }
  CHECK(world.wire.opened[0].way.dscp == kDscpProbe);
  CHECK(world.wire.opened[0].way.mark == 0);
  CHECK(world.wire.opened[1].way.dscp == kDscpBulk);
  CHECK(world.wire.opened[1].way.mark == mark_of(TrafficClass::bulk));
  CHECK(world.prober.state() == PathState::starting);
  world.timers.pass(Duration::seconds(60));
  CHECK(world.prober.state() == PathState::good);
  uint64_t interactive = 0;
  uint64_t bulk = 0;
  for (const ProbePacket& question : world.wire.questions) {
    uint64_t& count = question.traffic == TrafficClass::bulk ? bulk : interactive;
    CHECK(question.sequence == ++count);
    CHECK(question.lane == 51824);
    CHECK(question.box == 7);
    CHECK(question.instance == 8);
  }
  CHECK(interactive == doctest::Approx(305).epsilon(0.02));
  CHECK(bulk == doctest::Approx(30).epsilon(0.05));
  CHECK(world.view().quality.rtt == Duration::ms(40));
  CHECK(world.view().bulk.probes > 5);
  CHECK(world.view().number == 3);
}

TEST_CASE("prober: the sink hears of changes in a later turn, once") {
  World world;
  world.start();
  CHECK(world.told == 0);
  world.timers.pass(Duration::ms(39));
  CHECK(world.told == 1);  // starting
  world.timers.pass(Duration::ms(2));
  CHECK(world.told == 2);  // good
  world.timers.pass(Duration::seconds(5));
  world.told = 0;
  world.call([&world] { world.prober.lose(DeathCause::carrier_lost); });
  CHECK(world.prober.state() == PathState::dead);  // in the same turn
  CHECK(world.told == 0);
  world.call([&world] { world.prober.regain(); });
  world.timers.settle();
  CHECK(world.told == 1);
  world.timers.pass(Duration::seconds(1));
  CHECK(world.prober.state() == PathState::good);
}

TEST_CASE("prober: a black hole is told within half a second, with what was lost") {
  World world;
  world.start();
  world.timers.pass(Duration::ms(20'130));
  world.told = 0;
  world.wire.cut = true;
  world.timers.pass(Duration::ms(450));
  CHECK(world.prober.state() == PathState::dead);
  CHECK(world.told == 2);  // suspect, dead
  CHECK(world.prober.health().unanswered() >= 9);
  CHECK(world.prober.health().died_of() == DeathCause::unanswered);
}

TEST_CASE("prober: what is not authentic or not its own counts for nothing") {
  World world;
  world.start();
  world.timers.pass(Duration::seconds(1));
  world.wire.cut = true;
  const auto forged = [&world](auto change) {
    ProbePacket packet = world.wire.questions.back();
    packet.kind = ProbeKind::echo_answer;
    packet.seen = 99;
    std::string key = kKey;
    change(packet, key);
    world.wire.deliver(0, encode_probe(packet, kProbeBytesMin, key), Duration::ms(1));
  };
  const uint64_t before = world.prober.strange();
  for (int i = 0; i < 100; ++i) {
    forged([](ProbePacket&, std::string& key) { key[0] = 'x'; });
    forged([](ProbePacket& packet, std::string&) { packet.lane = 1; });
    forged([](ProbePacket& packet, std::string&) { packet.box = 1; });
    forged([](ProbePacket& packet, std::string&) { packet.start ^= 1; });
    forged([](ProbePacket& packet, std::string&) { packet.kind = ProbeKind::echo; });
    world.wire.deliver(0, "SLP1", Duration::ms(1));
    world.timers.pass(Duration::ms(10));
  }
  CHECK(world.prober.strange() == before + 600);
  CHECK(world.prober.state() == PathState::dead);
}

TEST_CASE("prober: what the PoP tells is kept, and that it is about to stop is said") {
  World world;
  world.wire.told.date = Date::from_us(1'790'000'000'000'000);
  world.wire.told.seen_source = IpEndpoint::parse("198.51.100.7:40000");
  world.start();
  world.timers.pass(Duration::seconds(1));
  REQUIRE(world.prober.told());
  CHECK(world.prober.told()->date == Date::from_us(1'790'000'000'000'000));
  CHECK(world.prober.told()->seen_source == IpEndpoint::parse("198.51.100.7:40000"));
  CHECK(world.prober.told()->rtt == Duration::ms(40));
  CHECK_FALSE(world.view().pop_stopping);
  world.told = 0;
  world.wire.told.pop_stopping = true;
  world.timers.pass(Duration::seconds(1));
  CHECK(world.told == 1);
  CHECK(world.view().pop_stopping);
  world.wire.told.identity_elsewhere = true;
  world.timers.pass(Duration::seconds(1));
  CHECK(world.told == 2);
  CHECK(world.prober.told()->identity_elsewhere);
}

TEST_CASE("prober: the largest packet is found, and a hole that small probes do not see") {
  World world;
  world.start();
  world.timers.pass(Duration::seconds(2));
  CHECK(world.view().mtu == 1420);
  CHECK(*std::max_element(world.wire.sizes.begin(), world.wire.sizes.end()) == 1420 - 28);
  world.wire.inner_max = 1339;
  world.told = 0;
  world.timers.pass(Duration::seconds(50));
  CHECK(world.told >= 2);
  CHECK(world.view().mtu <= 1339);
  CHECK(world.view().mtu > 1339 - MtuSearch::kStep);
  CHECK(world.prober.state() == PathState::good);
  CHECK(world.prober.sizes().holes() == 1);
  CHECK(loss_of(world.view().quality) == 0);
}

TEST_CASE("prober: a size that the interface refuses is not the path's fault") {
  World world;
  world.wire.interface_max = 1400;
  world.start();
  world.timers.pass(Duration::seconds(20));
  CHECK(world.view().mtu <= 1400);
  CHECK(world.view().mtu > 1392);
  CHECK(world.prober.state() == PathState::good);
  world.wire.interface_max = 1420;
  world.prober.set_mtu(1416);
  world.timers.pass(Duration::seconds(1));
  CHECK(world.view().mtu == 1416);
}

TEST_CASE("prober: packets that cannot be sent are packets lost") {
  World world;
  world.start();
  world.timers.pass(Duration::seconds(10));
  CHECK(world.prober.send_trouble().empty());
  world.wire.gone = true;
  world.timers.pass(Duration::ms(500));
  CHECK(world.prober.state() == PathState::dead);
  CHECK(world.prober.send_trouble() == "the interface is gone");
  world.wire.gone = false;
  world.timers.pass(Duration::seconds(1));
  CHECK(world.prober.state() == PathState::good);
}

TEST_CASE("prober: started again it counts anew, and old answers are not its own") {
  World world;
  world.start();
  world.timers.pass(Duration::seconds(3));
  const ProbePacket before = world.wire.questions.back();
  const std::string old = world.wire.last_answer;
  world.call([&world] { world.prober.stop("no uplink"); });
  CHECK(world.prober.state() == PathState::down);
  CHECK(world.view().trouble == "no uplink");
  CHECK(world.view().mtu == 0);
  const size_t asked = world.wire.questions.size();
  world.timers.pass(Duration::seconds(3));
  CHECK(world.wire.questions.size() == asked);
  world.wire.cut = true;
  world.start();
  CHECK(world.wire.questions[asked].sequence == 1);
  CHECK(world.wire.questions[asked].start != before.start);
  CHECK(world.wire.opened.size() == 4);
  const uint64_t strange = world.prober.strange();
  world.wire.deliver(2, old, Duration::ms(1));
  world.timers.pass(Duration::ms(10));
  CHECK(world.prober.strange() == strange + 1);
  CHECK(world.prober.state() == PathState::starting);
  CHECK(world.view().trouble.empty());
}

TEST_CASE("prober: a loop that was held up does not take its own delay for the path's") {
  for (const int ms : {50, 120, 300, 1000, 5000}) {
    World world;
    world.start();
    world.timers.pass(Duration::ms(10'010));  // a question is under way
    const int told = world.told;
    world.clock.set(world.clock.now() + Duration::ms(ms));
    world.timers.settle();
    CHECK(world.prober.state() == PathState::good);
    world.timers.pass(Duration::seconds(2));
    CAPTURE(ms);
    CHECK(world.told == told);
    CHECK(world.view().quality.rtt == Duration::ms(40));
  }
}

TEST_CASE("prober: without a usable key or socket it stays down, and can be started later") {
  World world;
  ProberSpec spec = World::spec();
  spec.key = "short";
  CHECK(world.prober.start(spec).error().kind == ErrorKind::refused);
  for (const int socket : {1, 2}) {
    world.wire.refuse_opening = socket;
    CHECK(world.prober.start(World::spec()).error().kind == ErrorKind::gone);
    CHECK(world.prober.state() == PathState::down);
  }
  world.timers.pass(Duration::seconds(1));
  CHECK(world.wire.questions.empty());
  world.start();
  world.timers.pass(Duration::seconds(1));
  CHECK(world.prober.state() == PathState::good);
}

TEST_CASE("prober: asked for fresh proof it asks at once, also a metered standby") {
  World world;
  ProberSpec spec = World::spec();
  spec.metered = true;
  REQUIRE(world.prober.start(spec));
  world.timers.pass(Duration::ms(10'500));
  const size_t asked = world.wire.questions.size();
  world.prober.ask_now();
  CHECK(world.wire.questions.size() == asked + 1);
  world.prober.set_carrying(true, false);
  world.timers.pass(Duration::seconds(10));
  CHECK(world.wire.questions.size() - asked >= 50);
  CHECK(world.view().metered);
}

TEST_CASE("prober: the PoP is told at once that traffic takes this path, and that it does not") {
  World world;
  world.start();
  world.timers.pass(Duration::ms(10'050));
  CHECK_FALSE(world.wire.questions.back().carries_interactive);
  const size_t asked = world.wire.questions.size();
  world.prober.set_carrying(true, false);
  REQUIRE(world.wire.questions.size() == asked + 1);
  CHECK(world.wire.questions.back().carries_interactive);
  world.prober.set_carrying(true, false);
  CHECK(world.wire.questions.size() == asked + 1);
  world.timers.pass(Duration::seconds(1));
  CHECK(world.wire.questions.back().carries_interactive);
  world.prober.set_carrying(false, false);
  world.timers.pass(Duration::ms(200));
  CHECK_FALSE(world.wire.questions.back().carries_interactive);
}

TEST_CASE("prober: destroyed in the middle of everything it leaves nothing behind") {
  script::SimClock clock;
  script::SimTimers timers(clock);
  Wire wire(timers, clock);
  sim::Chance chance(5, "prober");
  NoLog log;
  struct Quiet : ProberSink {
    void on_path_changed(int) override {}
  } sink;
  for (int ms = 0; ms < 700; ms += 7) {
    auto prober = std::make_unique<PathProber>(0, PathSettings(),
                                               ProberPorts{clock, timers, wire, chance, log}, sink);
    REQUIRE(prober->start(World::spec()));
    wire.cut = ms > 300;
    timers.pass(Duration::ms(ms));
    prober.reset();
    timers.pass(Duration::seconds(1));
  }
}
