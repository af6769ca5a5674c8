#include "drivers/uv/timers.h"

#include <uv.h>

#include <doctest/doctest.h>

#include "drivers/uv/signals.h"
#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;

TEST_CASE("timers: fire in the order of their time, equal ones in the order of start") {
  World world;
  std::string order;
  std::vector<std::unique_ptr<ports::Timer>> timers;
  const auto wait = [&](char name, Duration after) {
    timers.push_back(world.timers.make([&order, name] { order += name; }));
    timers.back()->start(after);
  };
  wait('d', Duration::us(2500));
  wait('b', Duration::us(700));
  wait('c', Duration::us(700));
  wait('a', Duration());
  wait('e', Duration::ms(9));
  const auto last = world.timers.make([&] { world.stop(); });
  last->start(Duration::ms(10));
  world.run();
  CHECK(order == "abcde");
}

TEST_CASE("timers: never early against the clock, also below a millisecond") {
  World world;
  int fired = 0;
  std::vector<std::unique_ptr<ports::Timer>> timers;
  for (int us = 0; us < 20000; us += 137) {
    const Instant due = world.clock.now() + Duration::us(us);
    timers.push_back(world.timers.make([&, due] {
      ++fired;
      CHECK(world.clock.now() >= due);
      if (fired == static_cast<int>(timers.size())) world.stop();
    }));
    timers.back()->start(Duration::us(us));
  }
  world.run();
  CHECK(fired == static_cast<int>(timers.size()));
}

TEST_CASE("timers: a wait is not much longer than asked") {
  World world;
  Duration shortest_excess = Duration::seconds(1);
  int left = 20;
  Instant due;
  std::unique_ptr<ports::Timer> timer;
  timer = world.timers.make([&] {
    shortest_excess = std::min(shortest_excess, world.clock.now() - due);
    if (--left == 0) return world.stop();
    due = world.clock.now() + Duration::us(300);
    timer->start(Duration::us(300));
  });
  timer->start(Duration());
  world.run();
  CHECK(shortest_excess < Duration::ms(5));
}

TEST_CASE("timers: zero delay fires later, never inside start, and each in a turn of its own") {
  World world;
  int fired = 0;
  bool inside = false;
  uint64_t last_turn = 0;
  std::unique_ptr<ports::Timer> timer;
  timer = world.timers.make([&] {
    CHECK_FALSE(inside);
    CHECK(world.loop.turn() != last_turn);
    last_turn = world.loop.turn();
    if (++fired == 5) return world.stop();
    inside = true;
    timer->start(Duration());
    inside = false;
    CHECK(timer->is_running());
  });
  timer->start(Duration());
  CHECK(fired == 0);
  world.run();
  CHECK(fired == 5);
}

TEST_CASE("timers: a chain of zero delays does not starve sockets") {
  World world;
  Pair pair(world);
  bool going = true;
  std::unique_ptr<ports::Timer> spin;
  spin = world.timers.make([&] {
    if (going) spin->start(Duration());
  });
  spin->start(Duration());
  pair.far.bytes_seen = [&](std::string_view) {
    going = false;
    world.stop();
  };
  pair.near.stream->write("x");
  world.run();
  CHECK(pair.far.heard == "x");
}

TEST_CASE("timers: stop, start anew and destroy, of itself and of others, inside a callback") {
  World world;
  int self = 0;
  int other = 0;
  int again = 0;
  std::unique_ptr<ports::Timer> destroys_itself;
  const std::string long_lived(100, 'x');
  size_t seen = 0;
  destroys_itself = world.timers.make([&, copy = long_lived] {
    ++self;
    destroys_itself.reset();
    seen = copy.size();
  });
  std::unique_ptr<ports::Timer> victim = world.timers.make([&] { ++other; });
  std::unique_ptr<ports::Timer> stopped = world.timers.make([&] { ++other; });
  const auto killer = world.timers.make([&] {
    victim.reset();
    stopped->stop();
  });
  const auto moved = world.timers.make([&] { ++again; });
  killer->start(Duration::ms(1));
  victim->start(Duration::ms(1));
  stopped->start(Duration::ms(1));
  destroys_itself->start(Duration::ms(1));
  moved->start(Duration::ms(1));
  moved->start(Duration::ms(3));
  const auto last = world.timers.make([&] { world.stop(); });
  last->start(Duration::ms(6));
  world.run();
  CHECK(self == 1);
  CHECK(seen == 100);
  CHECK(other == 0);
  CHECK(again == 1);
  CHECK(destroys_itself == nullptr);
  CHECK_FALSE(stopped->is_running());
}

TEST_CASE("timers: thousands with random stops fire in order, exactly those still running") {
  World world;
  std::vector<std::unique_ptr<ports::Timer>> timers;
  std::vector<bool> fired(3000, false);
  Instant last_due;
  uint64_t chance = 12345;
  const Instant base = world.clock.now();
  for (size_t i = 0; i < fired.size(); ++i) {
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    const Duration after = Duration::us(static_cast<int64_t>(chance >> 33) % 30000);
    timers.push_back(world.timers.make([&, i, due = base + after] {
      CHECK(due >= last_due);
      last_due = due;
      fired[i] = true;
    }));
    timers.back()->start(after);
    if (i % 3 == 0) timers[i / 2]->stop();
    if (i % 7 == 0) timers[i / 3].reset();
    if (timers[i / 3] == nullptr) timers[i / 3] = world.timers.make([] {});
  }
  std::vector<bool> running;
  for (const auto& timer : timers) running.push_back(timer->is_running());
  const auto last = world.timers.make([&] { world.stop(); });
  last->start(Duration::ms(31));
  world.run();
  CHECK(fired == running);
}

TEST_CASE("clock: frozen during a turn, moved in the next") {
  World world;
  Instant first;
  std::unique_ptr<ports::Timer> timer;
  timer = world.timers.make([&] {
    const Instant now = world.clock.now();
    if (first == Instant()) {
      first = now;
      const uint64_t until = uv_hrtime() + 2000000;
      while (uv_hrtime() < until) {
      }
      CHECK(world.clock.now() == now);
      return timer->start(Duration());
    }
    CHECK(now - first >= Duration::ms(2));
    world.stop();
  });
  timer->start(Duration());
  world.run();
}

TEST_CASE("clock: fresh inside the callback of a socket after a long sleep in the poll") {
  World world;
  const Instant before = world.clock.now();
  int hits = 0;
  uv_timer_t raw;
  REQUIRE(uv_timer_init(world.loop.raw(), &raw) == 0);
  Pair pair(world);
  pair.far.bytes_seen = [&](std::string_view) {
    ++hits;
    CHECK(world.clock.now() - before >= Duration::ms(30));
    world.stop();
  };
  raw.data = &pair;
  uv_timer_start(
      &raw, [](uv_timer_t* t) { static_cast<Pair*>(t->data)->near.stream->write("x"); }, 31, 0);
  world.run();
  CHECK(hits == 1);
  uv_close(reinterpret_cast<uv_handle_t*>(&raw), nullptr);
  world.settle();
}

TEST_CASE(
    "signals: SIGTERM and SIGINT stop, SIGHUP loads again, SIGUSR2 upgrades, SIGPIPE kills "
    "nothing") {
  World world;
  int stops = 0;
  int reloads = 0;
  int upgrades = 0;
  UvSignals signals(
      world.loop,
      [&] {
        if (++stops == 2) world.stop();
      },
      [&] {
        ++reloads;
        ::raise(SIGUSR2);
      },
      [&] {
        ++upgrades;
        ::raise(SIGTERM);
        ::raise(SIGINT);
      });
  ::raise(SIGPIPE);
  ::raise(SIGHUP);
  world.run();
  CHECK(stops == 2);
  CHECK(reloads == 1);
  CHECK(upgrades == 1);
}

TEST_CASE("loop: run goes on while nothing waits, until stop; stop before run ends it at once") {
  World world;
  world.stop();
  world.loop.run();
  int fired = 0;
  const auto timer = world.timers.make([&] {
    ++fired;
    world.stop();
  });
  timer->start(Duration::ms(2));
  world.loop.run();
  CHECK(fired == 1);
}
