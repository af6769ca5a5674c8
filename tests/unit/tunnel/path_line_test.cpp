// One path's interface, brought to what is wanted step by step.
#include "firmware/tunnel/path_line.h"

#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

namespace {

struct Scene : LineSink {
  script::SimClock clock;
  script::SimTimers timers{clock};
  script::SimRandom random{3};
  LogLines log;
  FakeDatagrams datagrams{clock, timers};
  ModelLinks links{timers, converge::machine()};
  ModelWireGuard wireguard{timers, links};
  int told = 0;
  std::unique_ptr<PathLine> line = std::make_unique<PathLine>(
      0, PathName{"wan0", "north", Transport::udp4}, wireguard,
      ProberPorts{clock, timers, datagrams, random, log}, PathSettings(), *this);

  void on_line_changed(int) override { ++told; }
  void on_path_changed(int) override {}

  WantedDevice device(const char* endpoint = "192.0.2.1:51821") const {
    WantedDevice out;
    out.interface = "slw0";
    ports::WgKey key{};
    key.fill(9);
    out.private_key = ports::WgSecret(key);
    out.peer.fill(0x80);
    out.endpoint = tunnel_test::at(endpoint);
    out.allowed = {tunnel_test::net("10.88.0.0/24")};
    return out;
  }
  const ports::WgState& state() { return wireguard.devices.at("slw0").state; }
  void pass(int ms) { timers.pass(Duration::ms(ms)); }
};

using What = ModelWireGuard::What;

ProberSpec probe_of_slw0(int mtu) {
  ProberSpec spec;
  spec.interface = "slw0";
  spec.source = tunnel_test::ip("10.88.0.5");
  spec.pop = tunnel_test::at("10.88.0.1:7");
  spec.lane = 51821;
  spec.key = std::string(kProbeKeyBytes, 'k');
  spec.mtu = mtu;
  return spec;
}

}  // namespace

TEST_CASE("path line: what is wanted while a step is under way is what it comes to") {
  Scene scene;
  scene.line->want(scene.device("192.0.2.1:1"));
  scene.line->want(scene.device("192.0.2.1:2"));
  CHECK(scene.told == 0);
  scene.timers.pass(Duration::us(2500));
  scene.line->want(scene.device("192.0.2.1:3"));  // while it is changed to the second
  scene.pass(20);
  CHECK(scene.line->is_settled());
  CHECK(scene.state().peers.at(0).endpoint == tunnel_test::at("192.0.2.1:3"));
  CHECK(scene.wireguard.opens == 1);
  CHECK(scene.told > 0);
  const size_t changes = scene.wireguard.changes.size();
  scene.line->want(scene.device("192.0.2.1:3"));
  scene.pass(20);
  CHECK(scene.wireguard.changes.size() == changes);
}

TEST_CASE("path line: it goes while it is being opened, and comes back while it is going") {
  Scene scene;
  scene.line->want(scene.device());
  scene.line->want_nothing();
  CHECK_FALSE(scene.line->is_removed());
  scene.pass(20);
  CHECK(scene.line->is_removed());
  CHECK(scene.wireguard.devices.empty());
  scene.line->want(scene.device());
  scene.pass(20);
  scene.line->want_nothing();
  scene.line->want(scene.device());
  scene.pass(20);
  CHECK(scene.line->is_settled());
  CHECK(scene.wireguard.devices.contains("slw0"));
}

TEST_CASE("path line: an answer to one that has ended reaches nobody") {
  Scene scene;
  scene.line->want(scene.device());
  scene.line.reset();
  scene.pass(20);
  CHECK(scene.told == 0);
}

TEST_CASE("path line: a backend that cannot is asked again every five seconds, and said once") {
  Scene scene;
  scene.wireguard.fails = [](What what, const std::string&) -> std::optional<Error> {
    if (what != What::open) return std::nullopt;
    return Error{ErrorKind::unsupported, "model", "this machine cannot"};
  };
  scene.line->want(scene.device());
  for (int second = 0; second < 60; ++second) {
    scene.pass(1000);
    scene.line->poll();
    scene.line->want(scene.device());
  }
  CHECK(scene.wireguard.opens >= 10);
  CHECK(scene.wireguard.opens <= 13);
  CHECK(scene.log.lines.size() == 1);
  CHECK(scene.line->trouble() == "this machine cannot");
  scene.wireguard.fails = nullptr;
  scene.pass(5500);
  scene.line->poll();
  scene.pass(20);
  CHECK(scene.line->is_settled());
  CHECK(scene.line->trouble().empty());
}

TEST_CASE("path line: a change that fails is not repeated with every look") {
  Scene scene;
  scene.wireguard.fails = [](What what, const std::string&) -> std::optional<Error> {
    if (what != What::change) return std::nullopt;
    return Error{ErrorKind::refused, "model", "not accepted"};
  };
  for (int i = 0; i < 1000; ++i) {  // 2 s
    scene.line->want(scene.device());
    scene.pass(2);
  }
  CHECK(scene.wireguard.changes.size() <= 2);
  scene.line->want(scene.device("192.0.2.1:7"));  // another wish is tried at once
  scene.pass(5);
  CHECK(scene.wireguard.changes.size() <= 3);
}

TEST_CASE("path line: an interface that vanishes is opened again at once, once; then with pauses") {
  Scene scene;
  scene.line->want(scene.device());
  scene.pass(20);
  scene.wireguard.devices.clear();
  scene.wireguard.fails = [](What what, const std::string&) -> std::optional<Error> {
    if (what != What::read) return std::nullopt;
    return Error{ErrorKind::gone, "model", "it is gone"};
  };
  scene.line->poll();
  for (int i = 0; i < 1000; ++i) {
    scene.pass(2);
    scene.line->want(scene.device());
  }
  CHECK(scene.wireguard.opens == 2);
  scene.wireguard.fails = nullptr;
  for (int second = 0; second < 6; ++second) {
    scene.pass(1000);
    scene.line->poll();
  }
  scene.pass(20);
  CHECK(scene.line->is_settled());
}

TEST_CASE("path line: the port that a new data plane took is told") {
  Scene scene;
  scene.line->want(scene.device());
  scene.pass(20);
  const uint16_t port = scene.line->listen_port();
  CHECK(port == scene.state().listen_port);
  scene.wireguard.devices.at("slw0").state.listen_port = scene.wireguard.next_port();
  const int told = scene.told;
  scene.line->poll();
  scene.pass(20);
  CHECK(scene.line->listen_port() == scene.state().listen_port);
  CHECK(scene.line->listen_port() != port);
  CHECK(scene.told == told + 1);
}

TEST_CASE("path line: an endpoint that is set again does not undo another that is wanted") {
  Scene scene;
  scene.line->want(scene.device("192.0.2.1:1"));
  scene.pass(20);
  REQUIRE(scene.line->is_settled());
  const size_t before = scene.wireguard.changes.size();
  scene.line->want(scene.device("192.0.2.1:2"));  // is being read
  scene.line->endpoint_again();
  scene.pass(20);
  CHECK(scene.state().peers.at(0).endpoint == tunnel_test::at("192.0.2.1:2"));
  for (size_t at = before; at < scene.wireguard.changes.size(); ++at) {
    for (const ports::WgPeerChange& peer : scene.wireguard.changes[at].peers) {
      CHECK(peer.endpoint == tunnel_test::at("192.0.2.1:2"));
    }
  }
  const size_t settled = scene.wireguard.changes.size();
  scene.line->endpoint_again();
  scene.pass(20);
  REQUIRE(scene.wireguard.changes.size() == settled + 1);
  CHECK(scene.wireguard.changes.back().peers.at(0).endpoint == tunnel_test::at("192.0.2.1:2"));
}

TEST_CASE("path line: an endpoint that is to be set again while it is read is set after that") {
  Scene scene;
  scene.line->want(scene.device());
  scene.pass(20);
  const size_t before = scene.wireguard.changes.size();
  scene.line->poll();
  scene.line->endpoint_again();
  CHECK(scene.wireguard.changes.size() == before);
  scene.pass(20);
  REQUIRE(scene.wireguard.changes.size() == before + 1);
  CHECK(scene.wireguard.changes.back().peers.at(0).endpoint.has_value());
}

TEST_CASE("path line: a port that it took is known at once") {
  Scene scene;
  scene.line->want(scene.device());
  scene.pass(20);
  const uint16_t port = scene.line->listen_port();
  const int told = scene.told;
  scene.line->take_new_port();
  scene.pass(5);
  CHECK(scene.told == told + 1);
  CHECK(scene.state().listen_port != port);
  CHECK(scene.line->listen_port() == scene.state().listen_port);
}

TEST_CASE("path line: sockets that cannot be opened are tried again every five seconds") {
  Scene scene;
  scene.line->want(scene.device());
  scene.pass(20);
  int opens = 0;
  scene.datagrams.refuse_open = [&opens](const ports::DatagramSpec&) {
    ++opens;
    return std::optional<Error>(Error{ErrorKind::busy, "udp", "too many open files"});
  };
  const int told = scene.told;
  for (int i = 0; i < 10'000; ++i) {  // 20 s
    scene.line->probe(probe_of_slw0(1420), 7);
    scene.pass(2);
  }
  CHECK(opens == 4);
  CHECK(scene.told == told);  // nobody is made to look, and to try, again
  CHECK(scene.log.lines.size() == 1);
  PathView view;
  scene.line->prober().fill(view);
  CHECK(view.state == PathState::down);
  CHECK(view.trouble == "too many open files");
  scene.datagrams.refuse_open = nullptr;
  scene.pass(5000);
  scene.line->probe(probe_of_slw0(1420), 7);
  CHECK(scene.line->prober().state() == PathState::starting);
}

TEST_CASE("path line: another MTU, or an uplink that is metered now, does not begin probing anew") {
  Scene scene;
  scene.line->want(scene.device());
  scene.pass(20);
  ProberSpec spec = probe_of_slw0(1420);
  scene.line->probe(spec, 7);
  const std::vector<int> sockets = scene.datagrams.sockets();
  REQUIRE(sockets.size() == 2);
  spec.mtu = 1380;
  spec.metered = true;
  scene.line->probe(spec, 7);
  CHECK(scene.datagrams.sockets() == sockets);
  PathView view;
  scene.line->prober().fill(view);
  CHECK(view.metered);
  spec.pop = tunnel_test::at("10.88.0.2:7");
  scene.line->probe(spec, 7);
  CHECK(scene.datagrams.sockets() != sockets);
}
