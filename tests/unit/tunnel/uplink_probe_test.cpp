#include "firmware/tunnel/uplink_probe.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>

#include "tests/unit/tunnel/where_pop.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel_test;
using Family = IpAddress::Family;

namespace {

struct Probed : UplinkProbeSink {
  void on_uplink_probed(const UplinkFinding& one) override {
    finding = one;
    when = world.clock.now();
    ++times;
    probe.reset();  // from inside the callback
  }
  UplinkProbeSpec spec() const {
    UplinkProbeSpec made;
    made.uplink = "fiber";
    made.way.interface = "eth0";
    made.pops = {{"east", {ip("192.0.2.1"), ip("2001:db8::1")}, 51819}};
    made.identity = {kBoxId, kBoxInstance, kBoxKey};
    return made;
  }
  const UplinkFinding& run(UplinkProbeSpec asked) {
    started = world.clock.now();
    probe = std::make_unique<UplinkProbe>(
        UplinkProbePorts{world.clock, world.calendar, world.timers, world.random, world.datagrams},
        std::move(asked), *this);
    probe->start();
    CHECK(times == 0);
    world.pass(Duration::seconds(10));
    REQUIRE(times == 1);
    CHECK(world.datagrams.open_sockets() == 0);
    return *finding;
  }
  Duration took() const { return when - started; }

  NetWorld world;
  WherePop pop{world};
  std::unique_ptr<UplinkProbe> probe;
  std::optional<UplinkFinding> finding;
  Instant started;
  Instant when;
  int times = 0;
};

}  // namespace

TEST_CASE("uplink probe: both families of a PoP are reached, each with its round trip") {
  Probed probed;
  const UplinkFinding& found = probed.run(probed.spec());
  REQUIRE(found.hosts.size() == 2);
  CHECK(found.hosts[0].pop == "east");
  CHECK(found.hosts[0].round_trip == Duration::ms(30));
  CHECK(found.hosts[0].seen->address == probed.pop.own4);
  CHECK(found.hosts[0].seen == found.hosts[0].seen_other);
  CHECK(found.hosts[1].seen->address == probed.pop.own6);
  CHECK(found.reaches(Family::v4));
  CHECK(found.reaches(Family::v6));
  CHECK(probed.took() == Duration::ms(30));
  CHECK(probed.world.datagrams.sent.size() == 4);
  CHECK(probed.world.datagrams.sent[0].spec.way.interface == "eth0");
  CHECK(probed.world.datagrams.sent[0].socket == probed.world.datagrams.sent[1].socket);
  CHECK(found.mtu4 == 0);
}

TEST_CASE("uplink probe: a lost question is asked again after 100, 200 and 400 ms") {
  for (int lost = 1; lost <= 3; ++lost) {
    Probed probed;
    probed.pop.lost = lost;
    UplinkProbeSpec spec = probed.spec();
    spec.pops[0].hosts = {ip("192.0.2.1")};
    spec.pops[0].where_port = 51819;
    const UplinkFinding& found = probed.run(spec);
    CHECK(found.hosts[0].reachable);
    CHECK(found.hosts[0].round_trip == Duration::ms(30));
  }
}

TEST_CASE("uplink probe: where nothing answers it gives up in time, and each asked four times") {
  Probed probed;
  probed.pop.v4 = probed.pop.v6 = false;
  const UplinkFinding& found = probed.run(probed.spec());
  CHECK_FALSE(found.reaches(Family::v4));
  CHECK_FALSE(found.clock);
  CHECK(probed.took() == kWhereGiveUp);
  std::vector<Duration> times;
  for (const auto& sent : probed.world.datagrams.sent) {
    if (sent.to == at("192.0.2.1:51819")) times.push_back(sent.when - probed.started);
  }
  CHECK(times == std::vector<Duration>{Duration::ms(0), Duration::ms(100), Duration::ms(300),
                                       Duration::ms(700)});
  CHECK(probed.world.datagrams.sent.size() == 16);
}

TEST_CASE("uplink probe: what refuses to send is told, and not asked again") {
  Probed probed;
  probed.world.datagrams.network = [](const FakeDatagrams::Sent&) {
    return Result<void>(Error{ErrorKind::gone, "udp", "network is unreachable"});
  };
  const UplinkFinding& found = probed.run(probed.spec());
  CHECK(found.hosts[0].trouble == "network is unreachable");
  CHECK(probed.took() == Duration());
  CHECK(probed.world.datagrams.sent.size() == 4);
}

TEST_CASE("uplink probe: without a socket of a family the other is asked all the same") {
  Probed probed;
  probed.world.datagrams.refuse_open = [](const ports::DatagramSpec& spec) {
    if (spec.family == Family::v4) return std::optional<Error>();
    return std::optional<Error>(Error{ErrorKind::unsupported, "udp", "no such family here"});
  };
  const UplinkFinding& found = probed.run(probed.spec());
  CHECK(found.hosts[0].reachable);
  CHECK(found.hosts[1].trouble == "no such family here");
}

TEST_CASE("uplink probe: forged, foreign and stale answers are no answers") {
  Probed probed;
  probed.world.datagrams.network = [&probed](const FakeDatagrams::Sent& sent) {
    auto answer = where_answer(sent.bytes, at("198.51.100.4:1"), probed.world.calendar.now());
    REQUIRE(answer);
    probed.world.datagrams.deliver(sent.socket, at("192.0.2.66:51819"), *answer);  // elsewhere
    probed.world.datagrams.deliver(sent.socket, sent.to, sent.bytes);              // the question
    probed.world.datagrams.deliver(sent.socket, sent.to, *answer + "x");
    (*answer)[70] = static_cast<char>((*answer)[70] ^ 1);
    probed.world.datagrams.deliver(sent.socket, sent.to, *answer);
    return Result<void>();
  };
  const UplinkFinding& found = probed.run(probed.spec());
  CHECK_FALSE(found.hosts[0].reachable);
  CHECK_FALSE(found.hosts[1].reachable);
  CHECK_FALSE(found.clock);
}

TEST_CASE("uplink probe: an answer of an earlier run is none of this one") {
  Probed first;
  std::string old;
  first.world.datagrams.network = [&](const FakeDatagrams::Sent& sent) {
    if (old.empty()) old = *where_answer(sent.bytes, at("1.2.3.4:5"), first.world.calendar.now());
    return Result<void>();
  };
  first.run(first.spec());
  Probed second;
  second.world.random = script::SimRandom(2);
  second.world.datagrams.network = [&](const FakeDatagrams::Sent& sent) {
    second.world.datagrams.deliver(sent.socket, sent.to, old);
    return Result<void>();
  };
  CHECK_FALSE(second.run(second.spec()).hosts[0].reachable);
}

TEST_CASE("uplink probe: the largest size that comes back is found, lower ones are not asked on") {
  for (const int mtu : {1500, 1492, 1472, 1450, 1400, 1280, 600}) {
    Probed probed;
    probed.pop.mtu = mtu;
    UplinkProbeSpec spec = probed.spec();
    spec.mtu = true;
    const UplinkFinding& found = probed.run(spec);
    INFO(mtu);
    CHECK(found.mtu4 == (mtu == 1450 ? 1440 : mtu == 600 ? 576 : mtu));
    CHECK(found.mtu6 <= mtu);
    CHECK(found.mtu6 >= mtu - 30);
    CHECK(probed.took() <= Duration::ms(30) + kWhereGiveUp);
    if (mtu == 1500) CHECK(probed.took() == Duration::ms(60));
    size_t bytes = 0;
    for (const auto& sent : probed.world.datagrams.sent) bytes += sent.bytes.size();
    CHECK(bytes < 130'000);
  }
}

TEST_CASE("uplink probe: nothing larger than the link is tried") {
  Probed probed;
  UplinkProbeSpec spec = probed.spec();
  spec.mtu = true;
  spec.link_mtu = 1445;
  const UplinkFinding& found = probed.run(spec);
  CHECK(found.mtu4 == 1445);
  for (const auto& sent : probed.world.datagrams.sent) CHECK(sent.bytes.size() + 28 <= 1445);
}

TEST_CASE("uplink probe: one lost large packet does not make the path small") {
  Probed probed;
  probed.pop.lost = 6;  // of the first questions and of the largest sizes
  UplinkProbeSpec spec = probed.spec();
  spec.pops[0].hosts = {ip("192.0.2.1")};
  spec.mtu = true;
  CHECK(probed.run(spec).mtu4 == 1500);
}

TEST_CASE("uplink probe: NAT is none, easy or hard by what the PoP's two ports saw") {
  const std::vector<IpPrefix> own{net("192.168.1.9/24")};
  for (const int kind : {0, 1, 2, 3}) {
    Probed probed;
    if (kind != 0) probed.pop.nat = ip("198.51.100.4");
    probed.pop.hard_nat = kind == 2;
    if (kind == 3) probed.pop.v4 = false;
    const UplinkFinding& found = probed.run(probed.spec());
    const Nat nat = nat_of(found, own);
    CHECK(nat == (kind == 0   ? Nat::none
                  : kind == 1 ? Nat::easy
                  : kind == 2 ? Nat::hard
                              : Nat::unknown));
  }
}

TEST_CASE(
    "uplink probe: a second private hop is a second translation, unless our address is seen") {
  const std::vector<IpPrefix> own{net("192.168.1.9/24")};
  struct Case {
    std::vector<std::string> hops;
    bool translated;
    bool doubled;
  };
  const std::vector<Case> cases{{{"192.168.1.1", "192.168.0.1", "203.0.113.1"}, true, true},
                                {{"192.168.1.1", "100.64.3.1"}, true, true},
                                {{"192.168.1.1", "203.0.113.1"}, true, false},
                                {{"", "10.0.0.1"}, true, false},
                                {{}, true, false},
                                {{"192.168.1.1", "10.0.0.1"}, false, false}};
  for (const Case& one : cases) {
    Probed probed;
    probed.pop.hops = one.hops;
    if (one.translated) probed.pop.nat = ip("198.51.100.4");
    UplinkProbeSpec spec = probed.spec();
    spec.hops = true;
    const UplinkFinding& found = probed.run(spec);
    CHECK(is_double_nat(found, own) == one.doubled);
    if (!one.hops.empty() && !one.hops[0].empty()) CHECK(found.hops[0] == ip(one.hops[0]));
  }
}

TEST_CASE("uplink probe: the PoP's date tells how far the clock is off, within half a round trip") {
  for (const int seconds : {0, 3600, -86400}) {
    Probed probed;
    probed.pop.ahead = Duration::seconds(seconds);
    const UplinkFinding& found = probed.run(probed.spec());
    REQUIRE(found.clock);
    CHECK(found.clock->offset == Duration::seconds(seconds));
    CHECK(found.clock->uncertainty == Duration::ms(15));
    CHECK(found.clock->pop == "east");
  }
}

TEST_CASE("uplink probe: the PoP's word that the identity is used elsewhere is passed on") {
  Probed probed;
  probed.pop.cloned = true;
  CHECK(probed.run(probed.spec()).hosts[0].cloned);
}

TEST_CASE("uplink probe: many PoPs are asked at once, up to the bounds") {
  Probed probed;
  UplinkProbeSpec spec = probed.spec();
  spec.hops = spec.mtu = true;
  const AskedPop pop{
      "p",
      {ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3"), ip("192.0.2.4"), ip("192.0.2.5")},
      51819};
  spec.pops.assign(20, pop);
  const UplinkFinding& found = probed.run(spec);
  CHECK(found.hosts.size() == kAskedPopsMax * kAskedHostsMax);
  for (const WhereFinding& host : found.hosts) CHECK(host.reachable);
}

TEST_CASE("uplink probe: nothing to ask is an answer too") {
  Probed probed;
  UplinkProbeSpec spec = probed.spec();
  spec.pops.clear();
  CHECK(probed.run(spec).hosts.empty());
  CHECK(probed.took() == Duration());
}
