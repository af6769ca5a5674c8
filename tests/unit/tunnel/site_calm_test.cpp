// The site does not work for nothing: how often it looks, and what does not disturb its paths.
#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

TEST_CASE("site: sockets that cannot be opened do not make it look in circles") {
  World world;
  int opens = 0;
  world.datagrams.refuse_open = [&opens](const ports::DatagramSpec&) {
    ++opens;
    return std::optional<Error>(Error{ErrorKind::busy, "udp", "too many open files"});
  };
  world.start();
  world.join();
  world.pass(Duration::seconds(1));
  const int reads = world.links.reads;
  opens = 0;
  world.pass(Duration::seconds(20));
  CHECK(world.links.reads - reads <= 30);  // one a second, and few more
  CHECK(opens > 0);
  const int paths = static_cast<int>(world.site->tunnels().paths.size());
  CHECK(opens <= paths * 5 + 60);  // a try each five seconds, and questions beside the tunnels
  CHECK(world.path("wan0/north/udp4").trouble == "too many open files");
  world.datagrams.refuse_open = nullptr;
  REQUIRE(world.until([&] { return world.carries(); }, Duration::seconds(6)));
}

TEST_CASE("site: a path of an uplink that is metered now goes on as it is") {
  World world;
  world.settings.uplinks = {{"wan0", "wan0", false, 0}, {"wan1", "wan1", false, 1}};
  world.settle_in();
  const Instant since = world.path("wan1/north/udp4").since;
  world.settings.uplinks[1].metered = true;
  world.site->configure(world.settings);
  world.pass(Duration::seconds(5));
  CHECK(world.path("wan1/north/udp4").metered);
  CHECK(world.path("wan1/north/udp4").state == PathState::good);
  CHECK(world.path("wan1/north/udp4").since == since);
}

TEST_CASE(
    "site: others' routes and links that change all the time cost at most 50 looks a second") {
  World world;
  world.settle_in();
  const auto churn = [&world](int ms) {
    for (int i = 0; i < ms; ++i) {
      world.links.edit([&](ports::NetworkState& state) {
        std::erase_if(state.links, [](const auto& one) { return one.name == "veth7"; });
        if (i % 2 == 0)
          state.links.push_back({70 + i, "veth7", "veth", true, true, false, 1500, {}});
        ports::RouteState route;
        route.to = tunnel_test::net("203.0.113.0/24");
        route.link = 1;
        route.metric = 1000;
        std::erase_if(state.routes, [](const auto& one) { return one.metric == 1000; });
        if (i % 2 == 0) state.routes.push_back(route);
      });
      world.pass(Duration::ms(1));
    }
  };
  const int reads = world.links.reads;
  churn(2000);
  CHECK(world.links.reads - reads <= 105);
  CHECK(world.links.reads - reads >= 20);
  // What an uplink loses is followed at once all the same.
  for (const int phase : {0, 3, 7, 13}) {
    churn(100 + phase);
    world.links.set_carrier("wan0", false);
    world.pass(Duration());
    CHECK(world.by(TrafficClass::interactive) == "slw1");
    world.links.set_carrier("wan0", true);
    REQUIRE(world.until([&] { return world.by(TrafficClass::interactive) == "slw0"; },
                        Duration::seconds(600)));
  }
  CHECK(world.leaks == 0);
}
