#include "drivers/uv/work.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;

TEST_CASE("work: the job runs on another thread, done on the loop's") {
  World world;
  UvWork work(world.loop);
  const auto loop_thread = std::this_thread::get_id();
  auto result = std::make_shared<int>(0);
  std::thread::id job_thread;
  work.run(
      [&] {
        job_thread = std::this_thread::get_id();
        *result = 42;
      },
      [&, result] {
        CHECK(std::this_thread::get_id() == loop_thread);
        CHECK(*result == 42);
        world.stop();
      });
  CHECK(*result * 0 == 0);
  world.run();
  CHECK(job_thread != loop_thread);
  CHECK(job_thread != std::thread::id());
}

TEST_CASE("work: a job asked for in done runs after it") {
  World world;
  UvWork work(world.loop);
  std::string order;
  work.run([&] { order += "a"; },
           [&] {
             order += "b";
             work.run([&] { order += "c"; },
                      [&] {
                        order += "d";
                        world.stop();
                      });
           });
  world.run();
  CHECK(order == "abcd");
}

TEST_CASE("work: destruction waits for running and queued jobs; no done follows") {
  World world;
  std::atomic<int> jobs = 0;
  int dones = 0;
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  auto work = std::make_unique<UvWork>(world.loop);
  for (int i = 0; i < 50; ++i) {
    work->run(
        [&jobs, open] {
          open.wait();
          ++jobs;
        },
        [&dones] { ++dones; });
  }
  CHECK(jobs == 0);
  std::thread opener([&gate] { gate.set_value(); });
  work.reset();
  CHECK(jobs == 50);
  opener.join();
  world.settle();
  CHECK(dones == 0);
}
