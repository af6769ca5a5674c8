#include "firmware/valve/fair_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;

namespace {

using Ids = std::vector<uint64_t>;

Instant at(int64_t seconds) { return Instant::from_us(seconds * 1'000'000); }

Ticket ticket(uint64_t id, const std::string& key, int64_t cost = 100,
              Priority priority = Priority::normal, int64_t deadline_s = 60) {
  return {id, key, priority, {cost}, at(deadline_s)};
}

// Takes out up to `count`, in the order of service.
Ids take(FairQueue& queue, size_t count = 1000) {
  Ids ids;
  queue.serve([&](const Ticket& one) {
    if (ids.size() >= count) return false;
    ids.push_back(one.id);
    return true;
  });
  return ids;
}

}  // namespace

TEST_CASE("fair queue: one key is served in the order it came") {
  FairQueue queue(10);
  for (const uint64_t id : {5, 3, 9}) CHECK(queue.push(ticket(id, "a")));
  CHECK(queue.size() == 3);
  CHECK(take(queue) == Ids{5, 3, 9});
  CHECK(queue.size() == 0);
}

TEST_CASE("fair queue: it is bounded, and an id waits once") {
  FairQueue queue(2);
  CHECK(queue.push(ticket(1, "a")));
  CHECK_FALSE(queue.push(ticket(1, "a")));
  CHECK(queue.push(ticket(2, "a")));
  CHECK_FALSE(queue.push(ticket(3, "b", 1, Priority::high)));
  CHECK(queue.size() == 2);
  queue.set_length_max(1);
  CHECK_MESSAGE(queue.size() == 2, "a smaller bound throws nobody out");
  CHECK_FALSE(queue.push(ticket(3, "b")));
  CHECK(take(queue, 2) == Ids{1, 2});
  CHECK(queue.push(ticket(3, "b")));
  CHECK_FALSE(queue.push(ticket(4, "b")));
}

TEST_CASE("fair queue: priorities are strict") {
  FairQueue queue(10);
  queue.push(ticket(1, "a", 1, Priority::low, 1));
  queue.push(ticket(2, "a", 100000, Priority::normal));
  queue.push(ticket(3, "b", 1, Priority::low));
  queue.push(ticket(4, "a", 100000, Priority::high));
  queue.push(ticket(5, "b", 1, Priority::normal));
  CHECK(take(queue) == Ids{4, 2, 5, 1, 3});
}

TEST_CASE("fair queue: a key that floods delays only itself") {
  FairQueue queue(1000);
  for (uint64_t id = 0; id < 100; ++id) queue.push(ticket(id, "flood", 1000));
  queue.push(ticket(200, "quiet", 1000));
  CHECK(take(queue, 2) == Ids{0, 200});  // it starts where service stands now
  queue.push(ticket(201, "quiet", 1000));
  const Ids next = take(queue, 2);
  CHECK(next[0] == 1);
  CHECK(next[1] == 201);
}

TEST_CASE("fair queue: keys share the work, not the count") {
  FairQueue queue(1000);
  for (uint64_t id = 0; id < 200; ++id) queue.push(ticket(id, "large", 4000));
  for (uint64_t id = 1000; id < 1400; ++id) queue.push(ticket(id, "small", 1000));
  std::map<bool, int64_t> work;
  for (const uint64_t id : take(queue, 250)) work[id < 1000] += id < 1000 ? 4000 : 1000;
  CHECK(work[true] == doctest::Approx(static_cast<double>(work[false])).epsilon(0.05));
}

TEST_CASE("fair queue: a request that costs nothing is still a request") {
  FairQueue queue(100);
  for (uint64_t id = 0; id < 10; ++id) queue.push(ticket(id, "free", 0));
  for (uint64_t id = 10; id < 15; ++id) queue.push(ticket(id, "paid", 1));
  const Ids order = take(queue, 10);
  CHECK(std::count_if(order.begin(), order.end(), [](uint64_t id) { return id >= 10; }) == 5);
}

TEST_CASE("fair queue: what a key used at one priority does not count at another") {
  FairQueue queue(1000);
  for (uint64_t id = 0; id < 50; ++id) queue.push(ticket(id, "both", 1000, Priority::high));
  queue.push(ticket(100, "both", 1000, Priority::low));
  queue.push(ticket(101, "other", 1000, Priority::low));
  queue.push(ticket(102, "other", 1000, Priority::low));
  Ids order = take(queue);
  order.erase(order.begin(), order.begin() + 50);
  CHECK(order == Ids{100, 101, 102});
}

TEST_CASE("fair queue: equal tags go by deadline, then by arrival") {
  FairQueue queue(10);
  queue.push(ticket(9, "a", 10, Priority::normal, 50));
  queue.push(ticket(8, "b", 10, Priority::normal, 20));
  queue.push(ticket(7, "c", 10, Priority::normal, 50));
  queue.push(ticket(6, "d", 10, Priority::normal, 20));
  CHECK(take(queue) == Ids{8, 6, 9, 7});
}

TEST_CASE("fair queue: what cannot be served is passed over and keeps its place") {
  FairQueue queue(10);
  queue.push(ticket(1, "a"));
  queue.push(ticket(2, "b"));
  queue.push(ticket(3, "a"));
  Ids seen;
  queue.serve([&](const Ticket& one) {
    seen.push_back(one.id);
    return one.key == "b";
  });
  CHECK(seen == Ids{1, 2, 3});
  CHECK(queue.size() == 2);
  CHECK(take(queue) == Ids{1, 3});
}

TEST_CASE("fair queue: one that leaves while others are served is not visited") {
  FairQueue queue(10);
  queue.push(ticket(1, "a"));
  queue.push(ticket(2, "b"));
  Ids seen;
  queue.serve([&](const Ticket& one) {
    seen.push_back(one.id);
    queue.remove(2);
    return true;
  });
  CHECK(seen == Ids{1});
  CHECK(queue.size() == 0);
}

TEST_CASE("fair queue: deadlines are told, and whoever is late is named until it is removed") {
  FairQueue queue(10);
  CHECK_FALSE(queue.next_deadline().has_value());
  queue.push(ticket(1, "a", 1, Priority::normal, 30));
  queue.push(ticket(2, "a", 1, Priority::low, 10));
  queue.push(ticket(3, "b", 1, Priority::high, 20));
  CHECK(queue.next_deadline() == at(10));
  CHECK(queue.expired(at(10) - Duration::us(1)).empty());
  CHECK(queue.expired(at(10)) == Ids{2});
  CHECK(queue.expired(at(20)) == Ids{2, 3});
  CHECK(queue.size() == 3);
  CHECK(queue.remove(2));
  CHECK_FALSE(queue.remove(2));
  CHECK(queue.next_deadline() == at(20));
}

TEST_CASE("fair queue: an empty queue forgets what was used") {
  FairQueue queue(100);
  for (uint64_t id = 0; id < 20; ++id) queue.push(ticket(id, "a", 5000));
  CHECK(take(queue).size() == 20);
  queue.push(ticket(30, "a", 10));
  queue.push(ticket(31, "b", 10));
  CHECK(take(queue) == Ids{30, 31});
}
