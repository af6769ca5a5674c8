#include "firmware/tunnel/shim.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/tunnel/net_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel_test;

namespace {

const std::string kKey(kProbeKeyBytes, 'k');

struct Told : ShimSink {
  void on_shim_up() override { said += "up "; }
  void on_shim_down(const Error& why) override {
    said += "down ";
    reason = why.text;
    if (destroy != nullptr) destroy->reset();
  }
  std::string said;
  std::string reason;
  std::unique_ptr<Shim>* destroy = nullptr;
};

// A shim, the WireGuard socket beside it and the PoP at the other end of its connection.
struct Site {
  Site() {
    shim = std::make_unique<Shim>(
        ShimPorts{world.clock, world.timers, world.random, world.datagrams, world.dialer},
        ShimSpec{"192.0.2.1", 443, 51820, {7, 9, kKey}}, told);
    REQUIRE(shim->open());
    world.settle();
  }

  script::Wire& wire() { return *world.dialer.last().wire; }
  void connect() {
    FakeDialer::connect(world.dialer.last());
    world.settle();
  }
  ProbePacket read_hello() {
    const std::string bytes = std::exchange(wire().written, "");
    REQUIRE(bytes.size() == kShimLengthBytes + kProbeBytesMin);
    const Result<ProbePacket> packet = decode_probe(bytes.substr(kShimLengthBytes), kKey);
    REQUIRE(packet);
    return *packet;
  }
  void answer(ProbePacket packet, const std::string& key = kKey) {
    packet.kind = ProbeKind::hello_answer;
    packet.date = Date::from_us(1'790'000'000'000'000);
    packet.seen = 1;
    packet.seen_source = at("198.51.100.4:40000");
    feed(shim_frame(encode_probe(packet, kProbeBytesMin, key)));
  }
  void feed(std::string_view bytes) {
    wire().sink->on_bytes(bytes);
    world.settle();
  }
  void come_up() {
    connect();
    answer(read_hello());
  }
  void wireguard(std::string bytes, std::string_view from = "127.0.0.1:51001") {
    world.datagrams.deliver(1, at(from), std::move(bytes));
    world.settle();
  }

  NetWorld world;
  Told told;
  std::unique_ptr<Shim> shim;
};

}  // namespace

TEST_CASE("shim: it connects, says hello with the lane, and is up when the PoP answers") {
  Site site;
  CHECK(site.shim->local() == at("127.0.0.1:40001"));
  CHECK(site.world.dialer.last().to == ports::Address{"192.0.2.1", 443, ""});
  site.connect();
  const ProbePacket hello = site.read_hello();
  CHECK(hello.kind == ProbeKind::hello);
  CHECK(hello.lane == 51820);
  CHECK(hello.box == 7);
  CHECK(hello.instance == 9);
  CHECK_FALSE(site.shim->is_up());
  site.world.pass(Duration::ms(40));
  site.answer(hello);
  CHECK(site.shim->is_up());
  CHECK(site.told.said == "up ");
  CHECK(site.shim->round_trip() == Duration::ms(40));
  REQUIRE(site.shim->told());
  CHECK(site.shim->told()->date == Date::from_us(1'790'000'000'000'000));
  CHECK(site.shim->told()->received == site.world.clock.now());
  CHECK(site.shim->told()->round_trip == Duration::ms(40));
  CHECK(site.shim->trouble().empty());
  CHECK(site.shim->counters().connections == 1);
}

TEST_CASE("shim: datagrams go out as frames and come back to WireGuard's port") {
  Site site;
  site.come_up();
  site.wireguard("first");
  site.wireguard(std::string(1400, 'x'));
  CHECK(site.wire().written == shim_frame("first") + shim_frame(std::string(1400, 'x')));
  const std::string two = shim_frame("back") + shim_frame("") + shim_frame("again");
  site.feed(two.substr(0, 3));
  site.feed(two.substr(3));
  REQUIRE(site.world.datagrams.sent.size() == 2);
  CHECK(site.world.datagrams.sent[0].bytes == "back");
  CHECK(site.world.datagrams.sent[0].to == at("127.0.0.1:51001"));
  CHECK(site.world.datagrams.sent[1].bytes == "again");
  CHECK(site.shim->counters().to_pop == 2);
  CHECK(site.shim->counters().from_pop == 2);
}

TEST_CASE("shim: nobody but WireGuard's socket is carried") {
  Site site;
  site.come_up();
  site.shim->set_wireguard_port(51001);
  site.wireguard("a", "127.0.0.1:51002");
  site.wireguard("b", "10.0.0.9:51001");
  site.wireguard("");
  CHECK(site.wire().written.empty());
  CHECK(site.shim->counters().strangers == 3);
  site.wireguard("c");
  CHECK(site.wire().written == shim_frame("c"));
}

TEST_CASE("shim: without a known port the first that sends is WireGuard, until it is told anew") {
  Site site;
  site.come_up();
  site.feed(shim_frame("early"));
  CHECK(site.shim->counters().dropped_here == 1);
  site.wireguard("a", "127.0.0.1:6000");
  site.wireguard("b", "127.0.0.1:6001");
  CHECK(site.shim->counters().strangers == 1);
  site.shim->set_wireguard_port(0);
  site.wireguard("b", "127.0.0.1:6001");
  CHECK(site.wire().written == shim_frame("a") + shim_frame("b"));
}

TEST_CASE("shim: an answer without proof of the key, or to another hello, is not the PoP's") {
  for (const int fault : {0, 1, 2, 3}) {
    Site site;
    site.connect();
    ProbePacket hello = site.read_hello();
    std::string key = kKey;
    if (fault == 0) key[3] = 'x';
    if (fault == 1) ++hello.sequence;
    if (fault == 2) ++hello.lane;
    if (fault == 3) ++hello.start;
    site.answer(hello, key);
    CHECK_FALSE(site.shim->is_up());
    CHECK(site.wire().closed);
    CHECK(site.told.said.empty());
    CHECK(site.shim->trouble() ==
          "TCP to 192.0.2.1:443: what answers there is not the PoP: its answer carries no proof of "
          "the key");
    CHECK(site.shim->trouble().find('k' + std::string(8, 'k')) == std::string::npos);
  }
}

TEST_CASE("shim: a PoP that takes the connection and stays silent is left after the hello's time") {
  Site site;
  site.connect();
  site.world.pass(kShimHelloMax - Duration::us(1));
  CHECK_FALSE(site.wire().closed);
  site.world.pass(Duration::us(1));
  CHECK(site.wire().closed);
}

TEST_CASE("shim: attempts rest twice as long each time, up to a bound, with jitter") {
  Site site;
  Duration rest = kShimRetryMin;
  for (int attempt = 1; attempt < 14; ++attempt) {
    FakeDialer::fail(site.world.dialer.last());
    site.world.settle();
    CHECK(site.world.dialer.asked.size() == static_cast<size_t>(attempt));
    site.world.pass(rest.scaled(0.75) - Duration::us(1));
    CHECK(site.world.dialer.asked.size() == static_cast<size_t>(attempt));
    site.world.pass(rest.scaled(0.5) + Duration::us(2));
    CHECK(site.world.dialer.asked.size() == static_cast<size_t>(attempt + 1));
    rest = std::min(rest * 2, kShimRetryMax);
  }
  CHECK(site.told.said.empty());
}

TEST_CASE("shim: after a connection that lasted, the next attempt is quick; else it is not") {
  Site site;
  for (int i = 0; i < 5; ++i) {
    FakeDialer::fail(site.world.dialer.last());
    site.world.pass(kShimRetryMax * 2);
  }
  site.come_up();
  size_t asked = site.world.dialer.asked.size();
  site.wire().sink->on_end();  // at once
  site.world.pass(Duration::seconds(1));
  CHECK(site.world.dialer.asked.size() == asked);
  site.world.pass(kShimRetryMax * 2);
  site.come_up();
  for (int i = 0; i < 10; ++i) {
    site.world.pass(Duration::seconds(1));
    site.feed(kShimKeepaliveFrame);
  }
  asked = site.world.dialer.asked.size();
  site.wire().sink->on_end();
  site.world.pass(kShimRetryMin.scaled(1.25) + Duration::us(1));
  CHECK(site.world.dialer.asked.size() == asked + 1);
  CHECK(site.told.said == "up down up down ");
  CHECK(site.told.reason == "TCP to 192.0.2.1:443: the PoP closed the connection");
}

TEST_CASE("shim: while it is down datagrams are dropped, not kept") {
  Site site;
  site.wireguard("old");
  CHECK(site.shim->counters().dropped_down == 1);
  site.come_up();
  CHECK(site.wire().written.empty());
}

TEST_CASE("shim: the last initiation of a handshake waits for the connection, while it is fresh") {
  Site site;
  const std::string first = std::string("\1\0\0\0", 4) + std::string(144, 'a');
  const std::string second = std::string("\1\0\0\0", 4) + std::string(144, 'b');
  site.wireguard(first);
  site.wireguard(second);
  site.wireguard(second + "longer");
  CHECK(site.shim->counters().dropped_down == 1);
  SUBCASE("it goes first") {
    site.come_up();
    CHECK(site.wire().written == shim_frame(second));
    CHECK(site.shim->counters().to_pop == 1);
    site.wire().sink->on_end();
    site.world.pass(kShimRetryMin.scaled(1.25) + Duration::us(1));
    site.come_up();
    CHECK(site.wire().written.empty());  // once
  }
  SUBCASE("an old one has been given up") {
    site.world.pass(kShimInitiationMax);
    site.come_up();
    CHECK(site.wire().written.empty());
  }
}

TEST_CASE(
    "shim: what a slow connection does not take is dropped at a bound, and goes on after it") {
  Site site;
  site.come_up();
  site.wire().window = 0;
  for (int i = 0; i < 100; ++i) site.wireguard(std::string(1000, 'x'));
  CHECK(site.wire().pending.size() <= kShimQueueStart);
  CHECK(site.shim->counters().dropped_full == 100 - kShimQueueStart / 1002);
  site.wire().window = std::string::npos;
  site.wire().drain();
  site.wireguard("fresh");
  CHECK(site.wire().written.ends_with(shim_frame("fresh")));
}

TEST_CASE("shim: a connection that takes nothing any more is given up, and opened again") {
  Site site;
  site.come_up();
  site.wire().window = 0;
  site.wireguard("x");
  site.world.pass(kShimStallMax + Duration::seconds(1));
  CHECK_FALSE(site.shim->is_up());
  CHECK(site.told.reason == "TCP to 192.0.2.1:443: the connection took nothing any more");
  site.world.pass(kShimRetryMin.scaled(1.25) + Duration::us(1));
  CHECK(site.world.dialer.asked.size() == 2);
}

TEST_CASE("shim: an idle connection is kept alive, and one from which nothing comes is given up") {
  Site site;
  site.come_up();
  for (int second = 0; second < 60; ++second) {
    site.world.pass(Duration::seconds(1));
    if (second % 10 == 9) site.feed(kShimKeepaliveFrame);
  }
  CHECK(site.shim->is_up());
  CHECK(site.wire().written.size() == 12 * kShimKeepaliveFrame.size());
  site.world.pass(kShimSilenceMax - Duration::us(1));
  CHECK(site.shim->is_up());
  site.world.pass(Duration::us(1));
  CHECK_FALSE(site.shim->is_up());
  CHECK(site.told.reason == "TCP to 192.0.2.1:443: nothing came from the PoP any more");
}

TEST_CASE("shim: bytes that are no frames end the connection") {
  Site site;
  site.come_up();
  site.feed("\xff\xff garbage");
  CHECK_FALSE(site.shim->is_up());
  CHECK(site.wire().closed);
}

TEST_CASE("shim: dialing anew replaces the connection at once, whatever it was doing") {
  Site site;
  site.shim->redial();  // while dialing
  CHECK(site.world.dialer.asked.size() == 2);
  CHECK(site.world.dialer.asked[0]->sink == nullptr);
  site.connect();
  site.shim->redial();  // while greeting
  CHECK(site.world.dialer.asked.size() == 3);
  CHECK(site.world.dialer.asked[1]->wire->closed);
  site.come_up();
  site.shim->redial();  // while up
  site.world.settle();
  CHECK(site.world.dialer.asked.size() == 4);
  CHECK(site.told.said == "up down ");
  CHECK(site.shim->local() == at("127.0.0.1:40001"));
  FakeDialer::fail(site.world.dialer.last());
  site.world.settle();
  site.shim->redial();  // while resting
  CHECK(site.world.dialer.asked.size() == 5);
  site.come_up();
  site.world.pass(Duration::seconds(2));
  CHECK(site.world.dialer.asked.size() == 5);
  CHECK(site.shim->is_up());
}

TEST_CASE("shim: its owner may destroy it when it hears that it is down") {
  Site site;
  site.come_up();
  site.told.destroy = &site.shim;
  site.wire().sink->on_error({ErrorKind::gone, "tcp", "connection reset"});
  CHECK(site.shim != nullptr);
  site.world.settle();
  CHECK(site.shim == nullptr);
  CHECK(site.told.reason == "TCP to 192.0.2.1:443: connection reset");
  CHECK(site.world.datagrams.open_sockets() == 0);
}

TEST_CASE("shim: without a local port it says so") {
  NetWorld world;
  world.datagrams.refuse_open = [](const ports::DatagramSpec& spec) {
    CHECK(spec.way.source == ip("127.0.0.1"));
    return std::optional<Error>(Error{ErrorKind::refused, "udp", "no"});
  };
  Told told;
  Shim shim({world.clock, world.timers, world.random, world.datagrams, world.dialer}, {}, told);
  CHECK_FALSE(shim.open());
  CHECK(world.dialer.asked.empty());
}
