#include "firmware/tunnel/choice.h"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace sluice;
using namespace sluice::tunnel;

namespace {

// Paths that have been good for an hour, each by its own uplink, the first one preferred.
struct Moment {
  PathSettings settings;
  Instant now = Instant::from_us(10'000'000'000);
  std::vector<PathView> paths;
  ChoiceAsk ask;
  Choice last;

  explicit Moment(int count) {
    for (int i = 0; i < count; ++i) {
      PathView path;
      path.name = {"wan" + std::to_string(i), "pop", Transport::udp4};
      path.number = i;
      path.preference = i;
      path.state = PathState::good;
      path.since = path.rated_since = now - Duration::seconds(3600);
      path.proof = now;
      path.quality.rtt = Duration::ms(40);
      path.quality.probes = 75;
      path.quality.probes_long = 600;
      paths.push_back(path);
    }
  }
  PathView& path(int number) { return paths[static_cast<size_t>(number)]; }
  Choice choose() {
    last = tunnel::choose(ask, paths, now, settings);
    ask.standing = last.standing;
    return last;
  }
  // Choice once a second; the paths stay as they are and answer.
  Choice pass(Duration time) {
    for (const Instant end = now + time; now < end;) {
      now = std::min(now + Duration::seconds(1), end);
      for (PathView& each : paths) {
        const bool alive = each.state == PathState::good || each.state == PathState::degraded;
        if (alive) each.proof = now;
      }
      choose();
      if (last.moved) break;
    }
    return last;
  }
  // Chosen long ago.
  void on(int number) {
    ask.standing = Standing();
    ask.standing.path = number;
    ask.standing.since = now - Duration::seconds(3600);
  }
  void die(int number) {
    path(number).state = PathState::dead;
    path(number).since = now;
  }
  void degrade(int number, double loss, Duration ago) {
    PathView& bad = path(number);
    bad.state = PathState::degraded;
    bad.below = true;
    bad.since = bad.rated_since = now - ago;
    bad.quality.loss_out = bad.quality.loss_long = loss;
  }
  WhyNot why_not(int number) const { return last.alternatives[static_cast<size_t>(number)].why; }
};

constexpr Duration kWindow = Duration::seconds(10);

}  // namespace

TEST_CASE("choice: the preferred path first, and none before one is proven") {
  Moment m(3);
  for (PathView& path : m.paths) path.state = PathState::starting;
  CHECK(m.choose().path == kNoPath);
  CHECK(m.last.reason == Reason::nothing_alive);
  CHECK_FALSE(m.last.moved);
  m.path(2).state = PathState::good;
  CHECK(m.choose().path == 2);
  CHECK(m.last.reason == Reason::first);
  CHECK(m.last.moved);
  CHECK(m.why_not(0) == WhyNot::starting);
}

TEST_CASE("choice: while paths come up a preferred one is taken at once, later it has to wait") {
  Moment m(2);
  m.path(0).state = PathState::starting;
  m.choose();
  CHECK(m.last.path == 1);
  m.path(0).state = PathState::good;
  m.path(0).rated_since = m.now + Duration::seconds(1);
  CHECK(m.pass(Duration::seconds(2)).path == 0);
  CHECK(m.ask.standing.returns == 0);

  Moment late(2);
  late.path(0).state = PathState::starting;
  late.choose();
  late.pass(Duration::seconds(6));
  late.path(0).state = PathState::good;
  late.path(0).rated_since = late.now;
  CHECK_FALSE(late.pass(Duration::seconds(29)).moved);
  CHECK(late.last.reason == Reason::stay_held);
  CHECK(late.last.again == late.path(0).rated_since + Duration::seconds(30));
  CHECK(late.why_not(0) == WhyNot::too_new);
  CHECK(late.pass(Duration::seconds(1)).reason == Reason::preferred);
}

TEST_CASE("choice: a dead path is left at once for the best that is proven") {
  Moment m(4);
  m.on(0);
  m.die(0);
  m.path(1).proof = m.now - Duration::ms(700);  // too old
  m.path(2).state = PathState::suspect;
  const Choice choice = m.choose();
  CHECK(choice.moved);
  CHECK(choice.from == 0);
  CHECK(choice.path == 3);
  CHECK(choice.reason == Reason::path_dead);
  CHECK(m.why_not(0) == WhyNot::dead);
  CHECK(m.why_not(1) == WhyNot::no_proof);
  CHECK(m.why_not(2) == WhyNot::suspect);
  CHECK(m.why_not(3) == WhyNot::chosen);
}

TEST_CASE("choice: with nothing alive it stays where it is, and goes with the first proof") {
  Moment m(2);
  m.on(0);
  m.die(0);
  m.die(1);
  CHECK(m.choose().path == 0);
  CHECK(m.last.reason == Reason::nothing_alive);
  CHECK_FALSE(m.last.moved);
  m.path(1).state = PathState::good;
  CHECK(m.choose().path == 1);
}

TEST_CASE("choice: a suspect path is not left") {
  Moment m(2);
  m.on(0);
  m.path(0).state = PathState::suspect;
  CHECK_FALSE(m.choose().moved);
  CHECK(m.last.reason == Reason::stay_suspect);
}

TEST_CASE("choice: a path taken down is left like a dead one, one that vanished too") {
  Moment m(2);
  m.on(0);
  m.path(0).state = PathState::down;
  CHECK(m.choose().path == 1);
  CHECK(m.last.reason == Reason::path_down);
  m.on(7);
  CHECK(m.choose().moved);
  CHECK(m.last.reason == Reason::path_down);
}

TEST_CASE("choice: a degraded path is left for a clearly better one, after the window") {
  Moment m(2);
  m.on(0);
  m.degrade(0, 0.12, Duration());
  CHECK_FALSE(m.pass(kWindow - Duration::seconds(1)).moved);
  CHECK(m.last.reason == Reason::stay_degraded);
  CHECK(m.pass(Duration::seconds(2)).path == 1);
  CHECK(m.last.reason == Reason::path_degraded);
}

TEST_CASE("choice: of two equally lossy paths neither is better") {
  Moment m(2);
  m.on(0);
  m.degrade(0, 0.10, Duration::seconds(60));
  m.degrade(1, 0.07, Duration::seconds(60));
  m.path(0).quality.loss_long = 0.085;
  m.path(1).quality.loss_long = 0.078;
  CHECK_FALSE(m.pass(Duration::seconds(300)).moved);
}

TEST_CASE("choice: a small difference of loss counts when it lasted minutes") {
  Moment m(2);
  m.on(0);
  m.degrade(0, 0.09, Duration::seconds(60));
  m.path(0).quality.loss_long = 0.02;
  CHECK_FALSE(m.pass(Duration::seconds(60)).moved);  // 7 of 75: may be chance
  m.path(0).quality.loss_long = 0.06;
  CHECK(m.pass(Duration::seconds(12)).path == 1);
}

TEST_CASE("choice: back to the preferred path after 30 clean seconds, longer each time") {
  Moment m(2);
  Duration expected = Duration::seconds(30);
  m.on(1);
  for (int i = 0; i < 5; ++i) {
    m.path(0).rated_since = m.now;
    CHECK_FALSE(m.pass(expected - Duration::seconds(1)).moved);
    CHECK(m.pass(Duration::seconds(1)).reason == Reason::preferred);
    m.die(0);
    CHECK(m.choose().path == 1);
    m.path(0).state = PathState::good;
    expected = std::min(expected * 2, m.settings.hold_max);
  }
  m.now = m.now + m.settings.forget * 10;  // all is forgotten
  m.path(0).rated_since = m.now;
  m.pass(Duration::seconds(29));
  CHECK(m.pass(Duration::seconds(1)).path == 0);
}

TEST_CASE("choice: not back to a preferred path that loses clearly more") {
  Moment m(2);
  m.on(1);
  m.path(0).quality.loss_long = 0.045;  // good by the thresholds, but not as good
  CHECK_FALSE(m.pass(Duration::seconds(300)).moved);
}

TEST_CASE("choice: a preferred path is not left for a faster one that is less preferred") {
  Moment m(2);
  m.on(0);
  m.path(1).quality.rtt = Duration::ms(5);
  CHECK_FALSE(m.pass(Duration::seconds(300)).moved);
  CHECK(m.why_not(1) == WhyNot::preference);
}

TEST_CASE("choice: of equal preference, a clearly shorter path after it was so for 30 s") {
  struct Case {
    int from;
    int to;
    bool moves;
  };
  for (const Case c : {Case{40, 29, true},
                       {40, 31, true},
                       {40, 35, false},
                       {100, 89, true},
                       {100, 95, false},
                       {5, 4, false},
                       {8, 6, true}}) {
    Moment m(2);
    m.path(1).preference = 0;
    m.on(0);
    m.path(0).quality.rtt = Duration::ms(c.from);
    m.path(1).quality.rtt = Duration::ms(c.to);
    CAPTURE(c.from);
    CAPTURE(c.to);
    m.choose();
    CHECK_FALSE(m.pass(Duration::seconds(29)).moved);
    CHECK(m.pass(Duration::seconds(2)).moved == c.moves);
  }
}

TEST_CASE("choice: an advantage that comes and goes moves nothing") {
  Moment m(2);
  m.path(1).preference = 0;
  m.on(0);
  for (int i = 0; i < 60; ++i) {
    m.path(1).quality.rtt = Duration::ms(i % 2 == 0 ? 20 : 40);
    CHECK_FALSE(m.pass(Duration::seconds(10)).moved);
  }
}

TEST_CASE("choice: a metered path only when nothing else lives, and off it when clean") {
  Moment m(3);
  m.path(0).metered = true;
  m.on(1);
  CHECK_FALSE(m.pass(Duration::seconds(100)).moved);  // preferred, but metered
  CHECK(m.why_not(0) == WhyNot::metered);
  m.die(1);
  CHECK(m.choose().path == 2);
  m.die(2);
  CHECK(m.choose().path == 0);
  m.path(2).state = PathState::good;
  m.path(2).rated_since = m.now;
  CHECK_FALSE(m.pass(Duration::seconds(29)).moved);
  CHECK(m.pass(Duration::seconds(1)).reason == Reason::not_metered);
  m.degrade(2, 0.1, Duration::seconds(60));
  CHECK_FALSE(m.pass(Duration::seconds(60)).moved);  // degraded is no reason to pay
  m.degrade(2, 0.3, Duration::seconds(60));
  CHECK(m.pass(Duration::seconds(60)).path == 0);  // poor is
}

TEST_CASE("choice: a damped path is taken only when no other lives") {
  Moment m(3);
  m.on(0);
  m.path(1).hold_until = m.now + Duration::seconds(100);
  m.die(0);
  CHECK(m.choose().path == 2);
  CHECK(m.why_not(1) == WhyNot::damped);
  CHECK_FALSE(m.pass(Duration::seconds(99)).moved);  // preferred, but damped
  CHECK(m.pass(Duration::seconds(1)).path == 1);
  m.path(0).state = PathState::dead;
  m.path(2).hold_until = m.now + Duration::seconds(100);
  m.die(1);
  CHECK(m.choose().path == 2);
}

TEST_CASE("choice: a PoP that is about to stop is left at once when another path is good") {
  Moment m(2);
  m.on(0);
  m.path(0).pop_stopping = true;
  CHECK(m.choose().path == 1);
  CHECK(m.last.reason == Reason::pop_stopping);
  CHECK_FALSE(m.pass(Duration::seconds(100)).moved);
  CHECK(m.why_not(0) == WhyNot::pop_stopping);
  Moment metered(2);
  metered.on(0);
  metered.path(0).pop_stopping = true;
  metered.path(1).metered = true;
  CHECK_FALSE(metered.choose().moved);
}

TEST_CASE("choice: bulk takes another uplink than interactive, when a good one is not metered") {
  Moment m(3);
  m.ask.traffic = TrafficClass::bulk;
  m.ask.interactive = 0;
  CHECK(m.choose().path == 1);
  m.path(1).metered = true;
  m.path(2).name.uplink = "wan0";  // another PoP by the same uplink
  m.ask.standing = Standing();
  CHECK(m.choose().path == 0);  // the same as interactive: no other good one
  CHECK(m.why_not(2) == WhyNot::shares_uplink);
  m.path(1).metered = false;
  m.path(1).rated_since = m.now;
  CHECK(m.pass(Duration::seconds(4)).path == 1);  // at once: paths are just coming up
}

TEST_CASE("choice: bulk leaves the uplink that interactive moved to, after a clean period") {
  Moment m(2);
  m.ask.traffic = TrafficClass::bulk;
  m.ask.interactive = 1;
  m.on(1);
  m.path(0).rated_since = m.now;
  CHECK_FALSE(m.pass(Duration::seconds(29)).moved);
  CHECK(m.pass(Duration::seconds(1)).reason == Reason::own_uplink);
  CHECK_FALSE(m.pass(Duration::seconds(100)).moved);
}

TEST_CASE("choice: bulk is not moved by a degraded path, only by a poor one") {
  Moment m(2);
  m.ask.traffic = TrafficClass::bulk;
  m.on(0);
  m.degrade(0, 0.1, Duration::seconds(60));
  CHECK_FALSE(m.pass(Duration::seconds(60)).moved);
  m.degrade(0, 0.3, Duration::seconds(60));
  CHECK(m.pass(Duration::seconds(60)).path == 1);
}

TEST_CASE("choice: an administrator's path is taken while it lives, an excluded one left") {
  Moment m(3);
  m.on(0);
  m.ask.wish.only = 2;
  CHECK(m.choose().path == 2);
  CHECK(m.last.reason == Reason::asked);
  CHECK_FALSE(m.pass(Duration::seconds(100)).moved);
  m.die(2);
  CHECK(m.choose().path == 0);
  m.ask.wish = ChoiceWish{kNoPath, 1U << 0};
  CHECK(m.choose().path == 1);
  CHECK(m.last.reason == Reason::asked);
  CHECK(m.why_not(0) == WhyNot::excluded);
  m.die(1);
  CHECK(m.choose().path == 0);  // nothing else is alive
  CHECK_FALSE(m.choose().moved);
}

TEST_CASE("choice: whatever the views are, it never goes to a path without fresh proof") {
  uint64_t x = 88172645463325252ULL;  // xorshift64
  const auto draw = [&x](uint64_t n) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % n;
  };
  Moment m(5);
  int moves = 0;
  for (int i = 0; i < 50'000; ++i) {
    m.now = m.now + Duration::ms(static_cast<int64_t>(draw(5000)));
    for (PathView& path : m.paths) {
      if (draw(4) != 0) continue;
      path.state = static_cast<PathState>(draw(6));
      path.below = path.state == PathState::degraded || draw(4) == 0;
      path.rated_since = m.now - Duration::ms(static_cast<int64_t>(draw(100'000)));
      path.proof = m.now - Duration::ms(static_cast<int64_t>(draw(3000)));
      path.hold_until =
          m.now + Duration::seconds(static_cast<int64_t>(draw(60))) - Duration::seconds(30);
      path.metered = draw(4) == 0;
      path.pop_stopping = draw(10) == 0;
      path.quality.rtt = Duration::ms(static_cast<int64_t>(draw(300)));
      path.quality.loss_out = static_cast<double>(draw(40)) / 100;
      path.quality.loss_long = path.quality.loss_out;
    }
    m.ask.traffic = draw(2) == 0 ? TrafficClass::bulk : TrafficClass::interactive;
    m.ask.interactive = static_cast<int>(draw(6)) - 1;
    m.ask.wish.only = draw(10) == 0 ? static_cast<int>(draw(5)) : kNoPath;
    m.ask.wish.excluded = draw(10) == 0 ? static_cast<uint32_t>(draw(32)) : 0;
    const int before = m.ask.standing.path;
    const Choice choice = m.choose();
    CHECK(choice.alternatives.size() == 5);
    CHECK(choice.moved == (choice.path != before));
    if (!choice.moved) continue;
    ++moves;
    const PathView& to = m.path(choice.path);
    const Duration old = to.metered ? m.settings.proof_max_metered : m.settings.proof_max;
    const bool alive = to.state == PathState::good || to.state == PathState::degraded;
    CHECK(alive);
    CHECK(m.now - *to.proof <= old);
    CHECK(m.why_not(choice.path) == WhyNot::chosen);
  }
  CHECK(moves > 1000);
}

TEST_CASE("choice: every reason has words in both languages and is read back") {
  for (int i = 0; i <= static_cast<int>(Reason::asked); ++i) {
    const Reason reason = static_cast<Reason>(i);
    CHECK(parse_reason(to_text(reason)) == reason);
    CHECK_FALSE(explain(reason).en.empty());
    CHECK_FALSE(explain(reason).zh.empty());
  }
  for (int i = 0; i <= static_cast<int>(WhyNot::no_better); ++i) {
    const WhyNot why = static_cast<WhyNot>(i);
    CHECK(parse_why_not(to_text(why)) == why);
    CHECK_FALSE(explain(why).zh.empty());
  }
  CHECK_FALSE(parse_reason("?"));
  CHECK_FALSE(parse_why_not("?"));
}

TEST_CASE("choice: one sentence says what carries a class and why") {
  Moment m(2);
  m.on(0);
  m.die(0);
  const Choice choice = m.choose();
  CHECK(explain(choice, TrafficClass::interactive, m.paths).en ==
        "Interactive traffic uses wan1/pop/udp4: the path before it died; round trip 40.0 ms, "
        "loss 0.0 %");
  m.die(1);
  CHECK(explain(m.choose(), TrafficClass::bulk, m.paths).zh.find("批量流量无可用路径") == 0);
}
