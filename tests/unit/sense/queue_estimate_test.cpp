#include "firmware/sense/queue_estimate.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/sense/shared_engine.h"

using namespace sluice;
using namespace sluice::sense;

namespace {

Instant at(int64_t ms) { return Instant::from_us(1'000'000'000 + ms * 1000); }

QueuePage page(int64_t ms, double running, double waiting = 0) {
  QueuePage made;
  made.asked = made.made = made.heard = at(ms);
  made.running = running;
  made.waiting = waiting;
  return made;
}

// An engine and its scraper, for `seconds`; what is compared begins `from_s` after the start.
struct Run {
  SharedEngine engine;
  Duration lag;
  std::function<void(QueuePage&)> cloud = [](QueuePage&) {};  // what a lying engine tells
  int64_t ticks = 0;
  int64_t next_page = 0;
  QueuePage last;

  explicit Run(const SharedEngine::Load& load, uint64_t seed = 1) : engine(load, seed) {}

  Nearness play(int seconds, int from_s = 2) {
    Nearness nearness;
    const int64_t begin = ticks;
    for (; ticks < begin + seconds * 200; ++ticks) {
      engine.advance();
      if (ticks >= next_page) {
        next_page = ticks + 45 + ticks % 11;  // 250 ms, a tenth either way
        last = engine.page(lag);
        cloud(last);
        engine.estimate().read(last);
      }
      if (ticks < begin + from_s * 200 || ticks % 20 != 7) continue;
      const QueueBelief belief = engine.estimate().at(engine.now());
      CHECK(belief.present() >= engine.own());
      nearness.add(engine.present(), engine.scene().waiting, belief.present(), belief.waiting);
    }
    return nearness;
  }
  QueueBelief belief() { return engine.estimate().at(engine.now()); }
};

}  // namespace

TEST_CASE("queue estimate: without a page it is our own count, and says so") {
  QueueEstimate estimate;
  CHECK(estimate.at(at(0)).present() == 0);
  estimate.sent(at(0));
  estimate.sent(at(0));
  const QueueBelief belief = estimate.at(at(10));
  CHECK(belief.running == 2);
  CHECK(belief.waiting == 0);
  CHECK_FALSE(belief.at.has_value());
  CHECK(estimate.running(at(10)).source == "own count");
  CHECK(estimate.running(at(10)).confidence == Confidence::derived);
  estimate.ended(std::nullopt, true, at(20));
  CHECK(estimate.at(at(20)).present() == 1);
}

TEST_CASE("queue estimate: what comes and goes between two pages is counted at once") {
  QueueEstimate estimate;
  estimate.sent(at(0));
  estimate.sent(at(0));
  estimate.read(page(100, 7));
  CHECK(estimate.at(at(100)).others == doctest::Approx(5));
  estimate.sent(at(150));
  CHECK(estimate.at(at(200)).present() == doctest::Approx(8));
  estimate.ended(std::nullopt, true, at(210));
  estimate.ended(std::nullopt, true, at(220));
  CHECK(estimate.at(at(230)).present() == doctest::Approx(6));
  CHECK(estimate.at(at(230)).at == at(100));
  CHECK(estimate.running(at(230)).confidence == Confidence::derived);
}

TEST_CASE("queue estimate: a request on its way when the page was made is not another client's") {
  QueueEstimate estimate;
  estimate.read(page(0, 0));
  for (int i = 0; i < 30; ++i) estimate.sent(at(240));
  estimate.read(page(250, 0));  // they were not there yet
  CHECK(estimate.at(at(250)).others == 0);
  CHECK(estimate.at(at(250)).present() == 30);
  for (int i = 0; i < 30; ++i) estimate.ended(std::nullopt, true, at(490));
  estimate.read(page(500, 30));  // made while they were there
  CHECK(estimate.at(at(500)).others < 0.1);
  CHECK(estimate.at(at(500)).present() < 0.1);
}

TEST_CASE("queue estimate: a page that took long may be of any moment of that time") {
  QueueEstimate estimate;
  estimate.sent(at(0));
  for (int i = 0; i < 9; ++i) estimate.sent(at(400));
  QueuePage late = page(900, 6);
  late.asked = at(100);
  estimate.read(late);  // our own were one, or ten
  CHECK(estimate.at(at(900)).others == 0);
  CHECK(estimate.at(at(900)).present() == 10);
  CHECK(estimate.at(at(900)).spread > 1);
}

TEST_CASE("queue estimate: what was read together with a later answer is of its own time") {
  QueueEstimate estimate;
  for (int i = 0; i < 5; ++i) estimate.sent(at(0));
  for (int i = 0; i < 5; ++i) estimate.ended(std::nullopt, true, at(400));
  QueuePage older = page(300, 8);
  older.heard = at(500);
  estimate.read(older);
  CHECK(estimate.at(at(500)).others == doctest::Approx(3));
  CHECK(estimate.at(at(500)).at == at(300));
}

TEST_CASE("queue estimate: a slow page is most likely of when it was asked for") {
  QueueEstimate estimate;
  for (int i = 0; i < 40; ++i) estimate.read(page(i * 250, i % 2 == 0 ? 4 : 16));  // others change
  for (int i = 0; i < 6; ++i) estimate.sent(at(10'300));
  QueuePage slow = page(10'500, 12);
  slow.asked = at(10'050);
  estimate.read(slow);
  CHECK(estimate.at(at(10'500)).others > 10);
  CHECK(estimate.at(at(10'500)).others <= 12);
}

TEST_CASE("queue estimate: with all places taken, what comes waits, and what ends makes room") {
  QueueEstimate estimate;
  for (int i = 0; i < 6; ++i) estimate.sent(at(0));
  estimate.read(page(250, 4, 3));
  estimate.read(page(500, 4, 3));
  CHECK(estimate.at(at(500)).waiting == doctest::Approx(3));
  CHECK(estimate.at(at(500)).lasting == 3);
  estimate.sent(at(510));
  CHECK(estimate.at(at(520)).waiting == doctest::Approx(4));
  CHECK(estimate.at(at(520)).running == doctest::Approx(4));
  for (int i = 0; i < 4; ++i) estimate.ended(std::nullopt, true, at(530));
  CHECK(estimate.at(at(540)).waiting == doctest::Approx(0));
}

TEST_CASE("queue estimate: whose first token came does not wait") {
  QueueEstimate estimate;
  for (int i = 0; i < 8; ++i) estimate.sent(at(0));
  estimate.read(page(20, 1, 7));  // a burst, before the engine's next step
  CHECK(estimate.at(at(20)).waiting == doctest::Approx(7));
  for (int i = 0; i < 8; ++i) estimate.began(at(0), at(60));
  CHECK(estimate.at(at(60)).waiting == 0);
  CHECK(estimate.at(at(60)).running == doctest::Approx(8));
}

TEST_CASE("queue estimate: a declared limit tells what waits where the engine does not") {
  QueueEstimate estimate;
  estimate.set_limit(4);
  for (int i = 0; i < 6; ++i) estimate.sent(at(0));
  CHECK(estimate.at(at(1)).waiting == 2);
  CHECK(estimate.at(at(1)).running == 4);
}

TEST_CASE("queue estimate: it becomes less sure with age, and in the end only ours are certain") {
  Run run({});
  run.play(20);
  const Instant now = run.engine.now();
  const QueueEstimate& estimate = run.engine.estimate();
  const double fresh = estimate.at(now).spread;
  CHECK(estimate.at(now + Duration::ms(500)).spread > fresh);
  CHECK(estimate.at(now + Duration::seconds(3)).spread >
        estimate.at(now + Duration::ms(500)).spread);
  CHECK(estimate.at(now + Duration::seconds(5)).others > 1);
  CHECK(estimate.at(now + Duration::seconds(300)).others < 0.1);
  CHECK(estimate.running(now + Duration::ms(100)).confidence == Confidence::derived);
  CHECK(estimate.running(now + Duration::seconds(30)).confidence == Confidence::stale);
}

TEST_CASE(
    "queue estimate: shared with clients that go past us it is near the truth at any moment") {
  const double scales[] = {0.5, 1.0, 1.4};
  for (const double scale : scales) {
    for (const uint64_t seed : {1, 2, 3}) {
      SharedEngine::Load load;
      load.own_rate *= scale;
      load.past_rate *= scale;
      Run run(load, seed);
      const Nearness nearness = run.play(30);
      CAPTURE(scale);
      CAPTURE(seed);
      CHECK(nearness.present_share() >= 0.95);
      CHECK(nearness.waiting_share() >= 0.9);  // a fifth of a few is little
    }
  }
}

TEST_CASE("queue estimate: with nobody but us it is our own count, exactly") {
  SharedEngine::Load load;
  load.past_rate = 0;
  Run run(load);
  const Nearness nearness = run.play(30);
  CHECK(nearness.mean_error() < 0.05);
}

TEST_CASE("queue estimate: a page half a minute old is found out, and believed of its time") {
  Run run({});
  run.lag = Duration::seconds(30);
  run.play(90);
  CHECK(std::abs(run.belief().lag.as_ms() - 30000) <= 200);
  CHECK(run.engine.estimate().running(run.engine.now()).confidence == Confidence::learnt);
  Nearness naive;
  const Nearness nearness = run.play(40, 0);
  CHECK(nearness.present_share() >= 0.75);
  CHECK(nearness.mean_error() < 2.5);  // others come and go; a page as it is: 4.6
  run.lag = Duration();
  run.play(30);
  CHECK(run.belief().lag.is_zero());
  CHECK(run.play(20, 0).present_share() >= 0.95);
}

TEST_CASE("queue estimate: a page that stands still while ours come and go is not believed") {
  Run run({});
  run.play(20);
  const QueuePage stuck = run.last;
  run.cloud = [stuck](QueuePage& told) {
    told.running = stuck.running;
    told.waiting = stuck.waiting;
    told.counted = stuck.counted;
    told.generated = stuck.generated;
  };
  run.play(2);
  CHECK(run.belief().doubt == Doubt::frozen);
  run.engine.load().own_rate = 25;
  run.engine.load().past_rate = 0;
  run.play(10);
  CHECK(run.belief().doubt == Doubt::frozen);
  CHECK(run.belief().present() >= run.engine.own());
  CHECK(std::abs(run.belief().present() - run.engine.present()) <=
        std::max(6.0, 0.4 * run.engine.present()));
  const Figure told = run.engine.estimate().running(run.engine.now());
  CHECK(told.confidence == Confidence::stale);
  CHECK(told.source == "own count: the page stands still while requests come and go");
}

TEST_CASE("queue estimate: the last busy value of an idle engine is forgotten in seconds") {
  Run run({});
  run.play(20);
  REQUIRE(run.engine.present() > 5);
  run.engine.load().own_rate = run.engine.load().past_rate = 0;
  const QueuePage busy = run.last;
  run.cloud = [busy](QueuePage& told) {  // counters are true, gauges held
    told.running = busy.running;
    told.waiting = busy.waiting;
  };
  run.play(8);
  REQUIRE(run.engine.present() == 0);
  CHECK(run.belief().doubt == Doubt::held);
  CHECK(run.belief().present() < 1);
}

TEST_CASE("queue estimate: a busy engine that claims to be idle is judged by the work it does") {
  Run run({});
  run.play(20);
  run.cloud = [](QueuePage& told) { told.running = told.waiting = 0; };
  const Nearness nearness = run.play(30);
  CHECK(run.belief().doubt == Doubt::too_low);
  CHECK(nearness.mean_error() < 0.35 * (14 + 6) * 0.8);  // without evidence: all of the others
  CHECK(nearness.present_share() > 0.6);
}

TEST_CASE("queue estimate: of an engine that never told the truth the work it does is known") {
  Run run({});
  run.cloud = [](QueuePage& told) { told.running = told.waiting = 0; };
  run.play(15);
  double others = 0;
  for (int second = 0; second < 20; ++second) {
    run.play(1, 1);
    others += run.belief().others / 20;
  }
  CHECK(others > 2.5);  // 4.8 of them are there on average
  CHECK(others < 8);
}

TEST_CASE("queue estimate: a queue that our requests do not wait in is not believed") {
  Run run({});
  run.play(20);
  run.cloud = [](QueuePage& told) {
    told.running = 256;
    told.waiting = 512;
  };
  run.play(5);
  CHECK(run.belief().doubt == Doubt::too_high);
  const Nearness nearness = run.play(20);
  CHECK(nearness.mean_error() < 8);
  CHECK(run.belief().waiting < 3);
  run.cloud = [](QueuePage&) {};
  run.play(5);
  CHECK(run.belief().doubt == Doubt::none);
}

TEST_CASE("queue estimate: a queue of ours for the computing of prompts may drain fast") {
  QueueEstimate estimate;
  for (int i = 0; i < 10; ++i) {  // answers take ten seconds
    estimate.sent(at(0));
    estimate.began(at(0), at(100));
    estimate.ended(at(100), true, at(10'100));
  }
  for (int i = 0; i < 50; ++i) estimate.sent(at(11'000));
  for (int round = 0; round < 20; ++round) {
    const int64_t now = 11'100 + round * 250;
    estimate.read(page(now, 20 + round, 30));
    estimate.sent(at(now + 1));
    estimate.began(at(now + 1), at(now + 200));  // far sooner than by ten seconds for a place
    CHECK(estimate.at(at(now + 200)).doubt == Doubt::none);
    CHECK(estimate.at(at(now + 200)).lasting > 0);
  }
}

TEST_CASE("queue estimate: a true queue of hundreds is believed") {
  SharedEngine::Load load;
  load.own_rate = 30;
  load.past_rate = 13;
  Run run(load);
  const Nearness nearness = run.play(60);
  REQUIRE(run.engine.scene().waiting > 200);
  CHECK(run.belief().doubt == Doubt::none);
  CHECK(nearness.present_share() >= 0.95);
  CHECK(nearness.waiting_share() >= 0.95);
}

TEST_CASE("queue estimate: an engine that began anew has nobody's requests but those it shows") {
  Run run({});
  run.play(20);
  REQUIRE(run.belief().others > 1);
  QueueEstimate& estimate = run.engine.estimate();
  QueuePage anew = run.last;
  anew.asked = anew.made = anew.heard = run.engine.now();
  anew.restarted = true;
  anew.running = run.engine.own();
  anew.waiting = 0;
  anew.counted = anew.generated = 0;
  estimate.read(anew);
  CHECK(estimate.at(run.engine.now()).others < 1);
}
