// How fast and how wrong the detector is, in virtual time: the short form of bench-paths.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/tunnel/path_sim.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

struct Spread {
  double median = 0;
  double max = 0;
  size_t moved = 0;
};

// From a cut at a random phase to the choice of the other path, milliseconds.
Spread after_cut(int trials, bool out, bool back, double loss = 0) {
  std::vector<double> ms;
  sim::Chance phase(11, "phase");
  for (int trial = 0; trial < trials; ++trial) {
    SiteSim site(2, 1000 + static_cast<uint64_t>(trial));
    for (PathSim& path : site.paths) path.wire.loss_out = path.wire.loss_back = loss;
    site.bring_up();
    site.pass(Duration::seconds(20) + Duration::us(phase.between(0, 1'000'000)));
    REQUIRE(site.choice.path == 0);
    site.paths[0].wire.cut_out = out;
    site.paths[0].wire.cut_back = back;
    const Instant begin = site.now;
    site.pass(Duration::seconds(10));
    if (site.choice.path == 1) ms.push_back((site.switches.back().at - begin).as_seconds() * 1000);
  }
  std::sort(ms.begin(), ms.end());
  REQUIRE_FALSE(ms.empty());
  return {ms[ms.size() / 2], ms.back(), ms.size()};
}

// Two paths of equal weather, so long.
SiteSim weathered(double out, double back, Duration time, uint64_t seed) {
  SiteSim site(2, seed);
  for (PathSim& path : site.paths) {
    path.wire.loss_out = out;
    path.wire.loss_back = back;
  }
  site.bring_up();
  site.pass(time);
  return site;
}

}  // namespace

TEST_CASE("detection: a black hole is left in 400 ms of the median, 600 at most") {
  const Spread hole = after_cut(200, true, true);
  CHECK(hole.moved == 200);
  CHECK(hole.median <= 400);
  CHECK(hole.median >= 250);  // a faster one would not wait for its burst
  CHECK(hole.max <= 600);
}

TEST_CASE("detection: a cut of one direction is as plain as one of both") {
  for (const bool out : {true, false}) {
    const Spread cut = after_cut(100, out, !out);
    CHECK(cut.moved == 100);
    CHECK(cut.median <= 400);
    CHECK(cut.max <= 600);
  }
}

TEST_CASE("detection: without a standby that lives nothing moves, and all come back") {
  SiteSim site(2, 3);
  site.bring_up();
  site.pass(Duration::seconds(30));
  for (PathSim& path : site.paths) path.wire.cut_out = true;
  site.pass(Duration::seconds(30));
  CHECK(site.choice.reason == Reason::nothing_alive);
  const size_t before = site.switches.size();
  for (PathSim& path : site.paths) path.wire.cut_out = false;
  site.pass(Duration::seconds(2));
  CHECK(site.choice.reason != Reason::nothing_alive);
  CHECK(site.state(site.choice.path) == PathState::good);
  CHECK(site.switches.size() <= before + 1);
}

TEST_CASE("detection: a standby that died in the same moment is not switched to") {
  for (int trial = 0; trial < 100; ++trial) {
    SiteSim site(2, 500 + static_cast<uint64_t>(trial));
    site.bring_up();
    site.pass(Duration::seconds(20) + Duration::us(trial * 7919));
    const size_t before = site.switches.size();
    for (PathSim& path : site.paths) path.wire.cut_back = true;
    site.pass(Duration::seconds(5));
    // The standby's last answer may be as young as the phase allows, no more than proof_max.
    for (size_t i = before; i < site.switches.size(); ++i) {
      CHECK(site.switches[i].reason == Reason::path_dead);
    }
    CHECK(site.switches.size() <= before + 1);
    CHECK(site.choice.reason == Reason::nothing_alive);
  }
}

TEST_CASE("detection: in six hours of 10 % loss each way no path dies and nothing moves") {
  const SiteSim site = weathered(0.1, 0.1, Duration::seconds(6 * 3600), 21);
  CHECK(site.paths[0].suspicions > 10'000);
  CHECK(site.paths[0].deaths + site.paths[1].deaths <= 1);
  CHECK(site.moves(Reason::path_dead) <= 1);
  CHECK(site.moves(Reason::path_degraded) + site.moves(Reason::preferred) <= 2);
}

TEST_CASE("detection: two paths that lose 6 % are not changed for each other all the time") {
  const SiteSim site = weathered(0.03, 0.0309, Duration::seconds(6 * 3600), 22);
  CHECK(site.moves(Reason::path_dead) == 0);
  CHECK(site.moves(Reason::path_degraded) + site.moves(Reason::preferred) <= 2);
}

TEST_CASE("detection: a path with outages of 300 ms is left for a clean one, and stays left") {
  SiteSim site(2, 23);
  site.bring_up();
  site.pass(Duration::seconds(60));
  REQUIRE(site.choice.path == 0);
  site.paths[0].wire.outage_share = 0.02;
  site.pass(Duration::seconds(4 * 3600));
  CHECK(site.paths[0].deaths > 100);
  CHECK(site.moves(Reason::path_dead) <= 4);
  CHECK(site.choice.path == 1);
}

TEST_CASE("detection: a path that is cut for ten seconds each minute is held down") {
  SiteSim site(2, 24);
  site.bring_up();
  site.pass(Duration::seconds(60));
  for (int minute = 0; minute < 120; ++minute) {
    site.paths[0].wire.cut_out = true;
    site.pass(Duration::seconds(10));
    site.paths[0].wire.cut_out = false;
    site.pass(Duration::seconds(50));
  }
  CHECK(site.paths[0].deaths == 120);
  CHECK(site.moves(Reason::path_dead) <= 3);
  CHECK(site.choice.path == 1);
  site.pass(Duration::seconds(1800));  // mended
  CHECK(site.choice.path == 0);
}

TEST_CASE("detection: a path that begins to lose a fifth is left within seconds") {
  SiteSim site(2, 25);
  site.bring_up();
  site.pass(Duration::seconds(600));
  REQUIRE(site.choice.path == 0);
  site.paths[0].wire.loss_out = 0.2;
  const Instant begin = site.now;
  site.pass(Duration::seconds(60));
  REQUIRE(site.choice.path == 1);
  CHECK(site.switches.back().reason == Reason::path_degraded);
  CHECK(site.switches.back().at - begin <= Duration::seconds(40));
  CHECK(site.paths[0].deaths == 0);
}
