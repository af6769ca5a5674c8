#include "firmware/tunnel/path_health.h"

#include <doctest/doctest.h>

#include <initializer_list>

#include "tests/unit/tunnel/path_sim.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

// One path on a wire of 40 ms.
struct Lone {
  SiteSim site{1, 7};
  PathSim& path = site.paths[0];
  Lone() {
    path.wire.jitter = {};
    site.bring_up();
  }
  PathState state() const { return path.health.state(); }
  void pass(Duration time) { site.pass(time); }
  void cut(bool out = true, bool back = true) {
    path.wire.cut_out = out;
    path.wire.cut_back = back;
  }
  void mend() { path.wire.cut_out = path.wire.cut_back = false; }
  // Until the state is this one: how long it took.
  Duration until(PathState state, Duration most = Duration::seconds(600)) {
    const Instant begin = site.now;
    while (path.health.state() != state && site.now - begin < most) pass(Duration::ms(1));
    REQUIRE(path.health.state() == state);
    return site.now - begin;
  }
};

}  // namespace

TEST_CASE("path: it is starting until the first answer, then good") {
  Lone lone;
  CHECK(lone.state() == PathState::starting);
  lone.pass(Duration::ms(39));
  CHECK(lone.state() == PathState::starting);
  lone.pass(Duration::ms(1));
  CHECK(lone.state() == PathState::good);
  CHECK(lone.path.health.proof() == lone.site.now);
}

TEST_CASE("path: a regular question every 200 ms, one of the bulk class every 2 s") {
  Lone lone;
  lone.pass(Duration::seconds(100));
  CHECK(lone.path.questions == doctest::Approx(550).epsilon(0.01));
}

TEST_CASE("path: a lost probe makes it suspect, and an answer to the burst good again") {
  Lone lone;
  lone.pass(Duration::ms(10'100));
  lone.cut();
  lone.pass(Duration::ms(150));  // one question
  lone.mend();
  lone.until(PathState::suspect, Duration::ms(100));
  const uint64_t before = lone.path.questions;
  CHECK(lone.until(PathState::good) == Duration::ms(40));
  CHECK(lone.path.questions - before <= 5);  // the burst ends with the answer
  CHECK(lone.path.health.damping().failures() == 0);
  CHECK(lone.path.deaths == 0);
}

TEST_CASE("path: it is dead when a whole burst is unanswered, in the time that the settings give") {
  for (const bool out : {true, false}) {
    Lone lone;
    lone.pass(Duration::seconds(10));
    lone.cut(out, !out);
    lone.until(PathState::suspect, Duration::ms(300));
    const uint64_t before = lone.path.questions;
    CHECK(lone.until(PathState::dead) == Duration::ms(70 + 90));
    CHECK(lone.path.questions - before <= 8);
    CHECK(lone.path.health.died_of() == DeathCause::unanswered);
    CHECK(lone.path.health.unanswered() >= 9);
  }
}

TEST_CASE("path: a dead one is alive after three answers in a row, and is held down") {
  Lone lone;
  lone.pass(Duration::seconds(10));
  lone.cut();
  lone.until(PathState::dead);
  lone.pass(Duration::seconds(5));
  lone.mend();
  const Duration took = lone.until(PathState::good);
  CHECK(took >= Duration::ms(440));
  CHECK(took <= Duration::ms(640));
  const PathView view = lone.path.view(lone.site.now);
  CHECK(view.hold_until - lone.site.now >= Duration::ms(4990));
  CHECK(view.rated_since == view.since);
  CHECK(view.quality.probes == 0);  // the outage is not its quality now
}

TEST_CASE("path: one that is dead for a minute is asked once a second, until it answers") {
  Lone lone;
  lone.pass(Duration::seconds(10));
  lone.cut();
  lone.pass(Duration::seconds(62));
  uint64_t before = lone.path.questions;
  lone.pass(Duration::seconds(20));
  CHECK(lone.path.questions - before == 20);
  lone.mend();
  CHECK(lone.until(PathState::good) <= Duration::ms(1500));
}

TEST_CASE("path: a jump of the round trip kills it at most once: late answers bring it back") {
  Lone lone;
  lone.pass(Duration::seconds(10));
  lone.path.wire.out = Duration::ms(340);
  lone.until(PathState::dead, Duration::seconds(1));
  CHECK(lone.until(PathState::good) <= Duration::ms(220));
  lone.pass(Duration::seconds(20));
  CHECK(lone.path.deaths == 1);
  CHECK(lone.path.health.damping().failures() == 1);
}

TEST_CASE("path: an answer that comes twice counts once") {
  PathHealth health{PathSettings()};
  Instant now = Instant::from_us(1'000'000'000);
  health.bring_up(now);
  const uint64_t first = health.ask(now);
  now = now + Duration::ms(40);
  CHECK(health.answer(now, TrafficClass::interactive, first, 1));
  health.lose(now, DeathCause::uplink_gone);
  health.regain(now);
  const uint64_t second = health.ask(now);
  now = now + Duration::ms(40);
  for (int i = 0; i < 5; ++i) {
    CHECK(health.answer(now, TrafficClass::interactive, second, 2).has_value() == (i == 0));
  }
  CHECK(health.state() == PathState::dead);
  CHECK_FALSE(health.answer(now, TrafficClass::interactive, first, 1));
  CHECK_FALSE(health.answer(now, TrafficClass::interactive, 99, 3));
}

TEST_CASE("path: lost carrier is death at once, and nothing is asked until it is back") {
  Lone lone;
  lone.pass(Duration::seconds(10));
  lone.path.health.lose(lone.site.now, DeathCause::carrier_lost);
  CHECK(lone.state() == PathState::dead);
  CHECK(lone.path.health.died_of() == DeathCause::carrier_lost);
  lone.site.run_paths();
  const uint64_t before = lone.path.questions;
  lone.pass(Duration::seconds(30));
  CHECK(lone.path.questions == before);
  CHECK(lone.state() == PathState::dead);
  lone.path.health.regain(lone.site.now);
  lone.site.run_paths();
  CHECK(lone.path.questions == before + 1);
  CHECK(lone.until(PathState::good) <= Duration::ms(441));
}

TEST_CASE("path: taken down it is silent and no failure, brought up it begins anew") {
  Lone lone;
  lone.pass(Duration::seconds(10));
  lone.path.health.take_down(lone.site.now, "no uplink");
  CHECK(lone.path.view(lone.site.now).trouble == "no uplink");
  lone.site.run_paths();
  const uint64_t before = lone.path.questions;
  lone.pass(Duration::seconds(10));
  CHECK(lone.path.questions == before);
  CHECK(lone.path.health.damping().failures() == 0);
  lone.path.health.bring_up(lone.site.now);
  CHECK(lone.path.view(lone.site.now).trouble.empty());
  CHECK_FALSE(lone.path.health.proof());
  lone.site.run_paths();
  CHECK(lone.until(PathState::good) == Duration::ms(40));
}

TEST_CASE("path: after its endpoint moved it is asked at once and waits longer for the answer") {
  Lone lone;
  lone.pass(Duration::ms(10'050));
  lone.path.wire.back = Duration::ms(600);
  const uint64_t before = lone.path.questions;
  lone.path.health.move_endpoint(lone.site.now);
  lone.site.run_paths();
  CHECK(lone.path.questions == before + 1);
  lone.pass(Duration::seconds(3));
  CHECK(lone.path.deaths == 0);
}

TEST_CASE("path: ten percent of loss make it degraded within the window, and it recovers") {
  Lone lone;
  lone.pass(Duration::seconds(60));
  lone.path.wire.loss_out = 0.2;
  CHECK(lone.until(PathState::degraded) <= Duration::seconds(20));
  CHECK(lone.path.view(lone.site.now).below);
  lone.pass(Duration::seconds(60));
  const PathView bad = lone.path.view(lone.site.now);
  CHECK(bad.below);
  CHECK(bad.quality.loss_out > 0.08);
  CHECK(bad.quality.loss_back < 0.02);
  CHECK(lone.path.deaths == 0);
  lone.path.wire.loss_out = 0;
  const Duration took = lone.until(PathState::good);
  CHECK(took >= Duration::seconds(5));
  CHECK(took <= Duration::seconds(16));
}

TEST_CASE("path: a slow brownout degrades it by its round trip, without a death") {
  Lone lone;
  lone.pass(Duration::seconds(10));
  for (int i = 0; i < 400 && lone.state() != PathState::degraded; ++i) {
    lone.path.wire.back = lone.path.wire.back + Duration::ms(2);
    lone.pass(Duration::ms(100));
  }
  const PathView slow = lone.path.view(lone.site.now);
  CHECK(slow.below);
  CHECK(slow.quality.rtt >= Duration::ms(400));
  CHECK(slow.quality.rtt <= Duration::ms(440));
  lone.path.wire.back = Duration::ms(330);  // 350 ms: below the first threshold, not the second
  lone.pass(Duration::seconds(60));
  CHECK(lone.path.view(lone.site.now).below);
  lone.path.wire.back = Duration::ms(200);
  lone.pass(Duration::seconds(10));
  CHECK_FALSE(lone.path.view(lone.site.now).below);
  CHECK(lone.path.deaths == 0);
}

TEST_CASE("path: suspicion does not begin the clean period anew") {
  Lone lone;
  lone.pass(Duration::seconds(10));
  const Instant rated = lone.path.view(lone.site.now).rated_since;
  lone.path.wire.loss_out = 0.01;
  lone.pass(Duration::seconds(120));
  CHECK(lone.path.suspicions > 0);
  CHECK(lone.path.view(lone.site.now).rated_since == rated);
}

TEST_CASE("path: a metered one is asked once a second, and as often as others under traffic") {
  Lone lone;
  lone.path.health.set_metered(true);
  lone.pass(Duration::seconds(5));
  lone.path.health.set_carrying(lone.site.now, false);
  lone.pass(Duration::seconds(2));
  uint64_t before = lone.path.questions;
  lone.pass(Duration::seconds(20));
  CHECK(lone.path.questions - before == 20);
  CHECK(lone.path.health.set_carrying(lone.site.now, true));
  CHECK_FALSE(lone.path.health.set_carrying(lone.site.now, true));
  lone.site.run_paths();
  lone.pass(Duration::seconds(2));
  before = lone.path.questions;
  lone.pass(Duration::seconds(20));
  CHECK(lone.path.questions - before == 110);
}

TEST_CASE("path: a size that is lost casts no suspicion") {
  Lone lone;
  lone.pass(Duration::seconds(10));
  for (int i = 0; i < 20; ++i) {
    lone.path.health.ask_size(lone.site.now, lone.path.health.size_wait(lone.site.now));
    lone.pass(Duration::seconds(1));
  }
  CHECK(lone.path.suspicions == 0);
  CHECK(loss_of(lone.path.view(lone.site.now).quality) == 0);
}

TEST_CASE("path: a flapping one is held longer each time, up to five minutes") {
  Lone lone;
  Duration last;
  for (int i = 0; i < 9; ++i) {
    lone.pass(Duration::seconds(20));
    lone.cut();
    lone.until(PathState::dead);
    lone.mend();
    lone.until(PathState::good);
    const Duration hold = lone.path.view(lone.site.now).hold_until - lone.site.now;
    CHECK(hold >= last);
    last = hold;
  }
  CHECK(last > Duration::seconds(299));
}

TEST_CASE("path: every cause of death has a word that is read back") {
  for (const DeathCause cause : {DeathCause::unanswered, DeathCause::carrier_lost,
                                 DeathCause::uplink_gone, DeathCause::data_plane_lost}) {
    CHECK(parse_death_cause(to_text(cause)) == cause);
  }
  CHECK_FALSE(parse_death_cause("?"));
}
