#include "firmware/tunnel/shim_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

using namespace sluice;
using namespace sluice::tunnel;

namespace {

// A connection that delivers `rate` bytes a second and is offered `offered`, in datagrams of 1300
// bytes, acknowledged a round trip after they left.
struct Pipe {
  explicit Pipe(Duration trip) : round_trip(trip) { queue.restart(now, trip); }

  size_t untaken() const { return waiting + flying; }
  size_t written() const { return offered_bytes; }

  void pass(Duration time, double rate, double offered) {
    const Instant end = now + time;
    for (; now < end; now = now + Duration::ms(1)) {
      while (!acks.empty() && acks.front().due <= now) {
        flying -= acks.front().bytes;
        acks.pop_front();
      }
      credit = waiting > 0 ? credit + rate / 1000 : 0;
      const size_t left = std::min(waiting, static_cast<size_t>(credit));
      if (left > 0) {
        credit -= static_cast<double>(left);
        waiting -= left;
        flying += left;
        delivered += left;
        acks.push_back({now + round_trip, left});
      }
      demand += offered / 1000;
      for (; demand >= 1300; demand -= 1300) offer();
      longest = std::max(longest, waiting);
    }
  }
  void offer() {
    queue.look(now, untaken());
    if (!queue.takes(untaken(), 1300)) {
      ++dropped;
      return;
    }
    queue.wrote(1300);
    waiting += 1300;
    offered_bytes += 1300;
  }

  struct Ack {
    Instant due;
    size_t bytes;
  };
  Duration round_trip;
  Instant now = Instant::from_us(1'000'000);
  ShimQueue queue;
  size_t waiting = 0;
  size_t flying = 0;
  size_t delivered = 0;
  size_t offered_bytes = 0;
  size_t longest = 0;
  int dropped = 0;
  double credit = 0;
  double demand = 0;
  std::deque<Ack> acks;
};

}  // namespace

TEST_CASE("shim queue: what waits under overload is at most a little more than 200 ms worth") {
  for (const double rate : {125e3, 1.25e6, 6e6}) {  // 1, 10, 48 Mbit/s
    for (const int trip : {10, 60, 300}) {
      Pipe pipe(Duration::ms(trip));
      pipe.pass(Duration::seconds(4), rate, rate * 3);  // learns
      pipe.longest = 0;
      const size_t before = pipe.delivered;
      pipe.pass(Duration::seconds(4), rate, rate * 3);
      INFO(rate << " bytes/s, " << trip << " ms");
      CHECK(static_cast<double>(pipe.longest) <= rate * 0.2 * 1.25 + 1300);
      CHECK(static_cast<double>(pipe.delivered - before) >= rate * 4 * 0.97);
      CHECK(pipe.dropped > 0);
    }
  }
}

TEST_CASE("shim queue: a path faster than the first allowance is found within two seconds") {
  Pipe pipe(Duration::ms(100));
  pipe.pass(Duration::seconds(2), 6e6, 6e6);
  const int dropped = pipe.dropped;
  pipe.pass(Duration::seconds(5), 6e6, 5.5e6);
  CHECK(pipe.dropped == dropped);
}

TEST_CASE("shim queue: a lull is not mistaken for a slow path") {
  Pipe pipe(Duration::ms(60));
  pipe.pass(Duration::seconds(3), 2e6, 4e6);
  const size_t allowance = pipe.queue.allowance();
  pipe.pass(Duration::seconds(60), 2e6, 750);  // probes only
  CHECK(pipe.queue.allowance() == allowance);
}

TEST_CASE("shim queue: on a path that became slow, less waits") {
  Pipe pipe(Duration::ms(60));
  pipe.pass(Duration::seconds(3), 2e6, 4e6);
  pipe.pass(Duration::seconds(5), 100e3, 4e6);
  CHECK(pipe.queue.allowance() <= static_cast<size_t>(100e3 * 0.26 * 1.25));
}

TEST_CASE("shim queue: the slowest path still takes a few datagrams, the fastest is bounded") {
  Pipe slow(Duration::ms(10));
  slow.pass(Duration::seconds(20), 2e3, 1e6);
  CHECK(slow.queue.allowance() == kShimQueueFloor);
  ShimQueue fast;
  Instant now = Instant::from_us(1);
  fast.restart(now, Duration::ms(300));
  for (int i = 0; i < 20; ++i) {
    fast.wrote(100'000'000);
    now = now + Duration::ms(100);
    fast.look(now, 1'000'000);
  }
  CHECK(fast.allowance() == kShimQueueCeiling);
}

TEST_CASE("shim queue: a stall is time without delivery while something waits") {
  ShimQueue queue;
  const Instant start = Instant::from_us(1'000'000);
  queue.restart(start, Duration::ms(50));
  queue.look(start + Duration::seconds(9), 0);
  CHECK(queue.stalled(start + Duration::seconds(9)) == Duration());
  queue.wrote(1000);
  queue.look(start + Duration::seconds(10), 1000);
  queue.look(start + Duration::seconds(12), 1000);
  CHECK(queue.stalled(start + Duration::seconds(12)) == Duration::seconds(3));
  queue.look(start + Duration::seconds(13), 999);
  CHECK(queue.stalled(start + Duration::seconds(13)) == Duration());
}
