#include "firmware/tunnel/mtu_search.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <initializer_list>

using namespace sluice;
using namespace sluice::tunnel;

namespace {

// A path that drops packets larger than `passes` in silence, and answers small ones all the time.
struct Hole {
  PathSettings settings;
  MtuSearch search{settings};
  Instant now = Instant::from_us(1'000'000'000);
  int passes;
  int asked = 0;
  int largest_asked = 0;
  bool alive = true;
  uint64_t sequence = 0;

  explicit Hole(int size, int ceiling = 1420) : passes(size) { search.restart(now, ceiling); }
  // One step of the search, or nothing to do before `end`.
  bool step(Instant end) {
    if (now >= end) return false;
    const Duration wait = Duration::ms(290);
    if (const auto size = search.due(now)) {
      ++asked;
      largest_asked = std::max(largest_asked, *size);
      search.asked(now, ++sequence, wait);
      if (alive && *size <= passes) {
        now = now + Duration::ms(40);
        search.answer(now, sequence);
        return true;
      }
    }
    const auto wake = search.wake();
    if (!wake || *wake > end) return false;
    now = std::max(now, *wake);
    search.expire(now, alive ? std::optional<Instant>(now) : std::nullopt);
    return true;
  }
  void pass(Duration time) {
    const Instant end = now + time;
    while (step(end)) {
    }
    now = std::max(now, end);
  }
};

}  // namespace

TEST_CASE("size: what the interface carries is found with three packets where it passes") {
  Hole hole(9000);
  hole.pass(Duration::ms(80));
  CHECK(hole.search.mtu() == 1280);
  hole.pass(Duration::seconds(1));
  CHECK(hole.search.mtu() == 1420);
  CHECK(hole.search.settled());
  CHECK(hole.asked == 3);
  CHECK(hole.largest_asked == 1420);
}

TEST_CASE("size: whatever passes is found to within a step, from below") {
  for (int passes = 576; passes <= 1420; passes += 7) {
    Hole hole(passes);
    hole.pass(Duration::seconds(20));
    CAPTURE(passes);
    CHECK(hole.search.settled());
    CHECK(hole.search.mtu() <= passes);
    CHECK(hole.search.mtu() > passes - MtuSearch::kStep);
    CHECK_FALSE(hole.search.hole());
  }
}

TEST_CASE("size: an interface that carries less than the usual sizes is no hole") {
  for (const int ceiling : {1400, 1281, 1280, 1200, 1000, 576}) {
    Hole hole(9000, ceiling);
    hole.pass(Duration::seconds(1));
    CHECK(hole.search.mtu() == ceiling);
    CHECK(hole.largest_asked == ceiling);
  }
  Hole none(9000, 0);
  none.pass(Duration::seconds(100));
  CHECK(none.asked == 0);
  CHECK_FALSE(none.search.wake());
}

TEST_CASE("size: a hole that opens later is found, and the size falls before it is sought anew") {
  Hole hole(9000);
  hole.pass(Duration::seconds(40));
  hole.passes = 1340;
  const Instant opened = hole.now;
  while (hole.search.holes() == 0) REQUIRE(hole.step(opened + Duration::seconds(60)));
  CHECK(hole.now - opened <= Duration::seconds(32));
  CHECK(hole.search.mtu() == 1200);
  CHECK(hole.search.hole());
  hole.pass(Duration::seconds(15));
  CHECK(hole.search.mtu() <= 1340);
  CHECK(hole.search.mtu() > 1332);
  CHECK(hole.search.settled());
  CHECK_FALSE(hole.search.hole());
}

TEST_CASE("size: a hole below the start size leaves the least size until more is proven") {
  Hole hole(9000);
  hole.pass(Duration::seconds(40));
  hole.passes = 1000;
  hole.pass(Duration::seconds(33));
  CHECK(hole.search.mtu() < 1000);
  hole.pass(Duration::seconds(20));
  CHECK(hole.search.mtu() > 992);
  CHECK(hole.search.mtu() <= 1000);
}

TEST_CASE("size: told that the path leads elsewhere, a hole is found in a second") {
  Hole hole(9000);
  hole.pass(Duration::seconds(40));
  hole.passes = 1340;
  hole.search.check(hole.now);
  hole.pass(Duration::ms(4 * 290 + 1));
  CHECK(hole.search.holes() == 1);
}

TEST_CASE("size: what is lost while the path is dead says nothing of sizes") {
  Hole hole(9000);
  hole.pass(Duration::seconds(40));
  hole.alive = false;
  hole.pass(Duration::seconds(100));
  CHECK(hole.search.holes() == 0);
  CHECK(hole.search.mtu() == 1420);
}

TEST_CASE("size: a path that is mended carries more after the next raise") {
  Hole hole(1340);
  hole.pass(Duration::seconds(30));
  CHECK(hole.search.mtu() <= 1340);
  hole.passes = 9000;
  hole.pass(hole.settings.mtu_raise + Duration::seconds(60));
  CHECK(hole.search.mtu() == 1420);
}

TEST_CASE("size: three lost packets of a size are not yet a hole, four are") {
  Hole hole(9000);
  hole.pass(Duration::seconds(20));
  hole.search.check(hole.now);
  hole.passes = 0;
  hole.pass(Duration::ms(3 * 290));
  hole.passes = 9000;
  hole.pass(Duration::seconds(60));
  CHECK(hole.search.holes() == 0);
  CHECK(hole.search.mtu() == 1420);
}

TEST_CASE("size: validated every 30 s, on a metered path every 5 minutes") {
  Hole hole(9000);
  hole.pass(Duration::seconds(3603));
  CHECK(hole.asked == doctest::Approx(123).epsilon(0.02));
  Hole metered(9000);
  metered.search.set_metered(true);
  metered.pass(Duration::seconds(3603));
  CHECK(metered.asked == doctest::Approx(15).epsilon(0.1));
}

TEST_CASE("size: what the interface refuses is not asked for again and again") {
  PathSettings settings;
  MtuSearch search(settings);
  Instant now = Instant::from_us(1'000'000'000);
  search.restart(now, 1420);
  int refused = 0;
  for (uint64_t sequence = 1; sequence < 200; ++sequence) {
    const auto size = search.due(now);
    if (!size) {
      now = *search.wake();
      if (now - Instant::from_us(1'000'000'000) > Duration::seconds(20)) break;
      continue;
    }
    if (*size > 1380) {
      ++refused;
      search.refuse(now);
      continue;
    }
    search.asked(now, sequence, Duration::ms(290));
    now = now + Duration::ms(40);
    search.answer(now, sequence);
  }
  CHECK(search.mtu() <= 1380);
  CHECK(search.mtu() > 1372);
  CHECK(refused <= 8);
}
