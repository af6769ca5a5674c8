// The one place that moves traffic, with the kernel and the records behind it.
#include "firmware/tunnel/traffic_switch.h"

#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

namespace {

struct Scene {
  script::SimClock clock;
  script::SimTimers timers{clock};
  script::SimCalendar calendar{clock};
  script::MemoryFiles files;
  LogLines log;
  ModelLinks links{timers, machine()};
  PathSettings settings;
  std::vector<PathView> paths{path(0), path(1)};
  TrafficSwitch traffic{{clock, calendar, links, files, log}, "state"};

  static ports::NetworkState machine() {
    ports::NetworkState out = converge::machine();
    for (const int number : {0, 1}) {
      converge::open_path(out, number);
      out.links.back().up = true;
      ports::NexthopState nexthop;
      nexthop.id = nexthop_of(number);
      nexthop.link = 10 + number;
      nexthop.protocol = ports::kOurProtocol;
      out.nexthops.push_back(nexthop);
    }
    return out;
  }
  PathView path(int number) {
    PathView out;
    out.name = {"wan" + std::to_string(number), "north", Transport::udp4};
    out.number = number;
    out.preference = number;
    out.state = PathState::good;
    out.proof = clock.now();
    return out;
  }
  bool choose() {
    for (PathView& one : paths) {
      if (one.state == PathState::good) one.proof = clock.now();
    }
    return traffic.choose(paths, {}, links.state(), settings);
  }
  uint32_t group(TrafficClass of) const {
    for (const auto& one : links.state().nexthops) {
      if (one.id == group_of(of)) return one.group.at(0);
    }
    return 0;
  }
};

constexpr TrafficClass kInteractive = TrafficClass::interactive;

}  // namespace

TEST_CASE(
    "traffic switch: the first choice waits for paths that have not answered, a moment only") {
  Scene scene;
  scene.paths[0].state = PathState::starting;
  CHECK_FALSE(scene.choose());
  CHECK_FALSE(scene.traffic.chosen(kInteractive));
  REQUIRE(scene.traffic.again());
  CHECK(*scene.traffic.again() == scene.clock.now() + TrafficSwitch::kSettle);
  scene.timers.pass(TrafficSwitch::kSettle);
  CHECK(scene.choose());
  CHECK(scene.traffic.chosen(kInteractive) == 1);
  CHECK(scene.group(kInteractive) == nexthop_of(1));
  CHECK_FALSE(scene.traffic.again() == scene.clock.now());
}

TEST_CASE(
    "traffic switch: a move that the kernel refuses is said; records without a disk are kept") {
  Scene scene;
  scene.traffic.open();
  CHECK(scene.choose());
  scene.log.lines.clear();
  scene.links.refuses = [](const ports::NetworkChange&) { return true; };
  scene.paths[0].state = PathState::dead;
  CHECK(scene.choose());
  CHECK(scene.log.count("could not be moved") == 1);
  CHECK(scene.traffic.chosen(kInteractive) == 1);  // the next look puts it into the kernel
  CHECK(scene.traffic.switches(9).back().from == "wan0/north/udp4");
}
