#include "drivers/uv/own_thread.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;

TEST_CASE("own thread: jobs run in their order, done follows on the loop's thread") {
  World world;
  UvOwnThread work(world.loop);
  const auto loop_thread = std::this_thread::get_id();
  auto order = std::make_shared<std::string>();
  std::thread::id first;
  std::thread::id second;
  work.run(
      [&first, order] {
        first = std::this_thread::get_id();
        *order += "a";
      },
      [&] { CHECK(std::this_thread::get_id() == loop_thread); });
  work.run(
      [&second, order] {
        second = std::this_thread::get_id();
        *order += "b";
      },
      [&] { world.stop(); });
  world.run();
  CHECK(*order == "ab");
  CHECK(first == second);
  CHECK(first != loop_thread);
}

TEST_CASE("own thread: a job that never ends does not keep its owner, and no done follows") {
  World world;
  const auto gate = std::make_shared<std::promise<void>>();
  const auto ended = std::make_shared<std::promise<void>>();
  const std::shared_future<void> open = gate->get_future().share();
  std::promise<void> begun;
  int dones = 0;
  bool second_ran = false;
  auto work = std::make_unique<UvOwnThread>(world.loop, Duration::ms(20));
  work->run(
      [&begun, open, ended] {
        begun.set_value();
        open.wait();
        ended->set_value();
      },
      [&dones] { ++dones; });
  work->run([&second_ran] { second_ran = true; }, [&dones] { ++dones; });
  begun.get_future().wait();
  const auto before = std::chrono::steady_clock::now();
  work.reset();
  CHECK(std::chrono::steady_clock::now() - before >= std::chrono::milliseconds(20));
  gate->set_value();
  ended->get_future().wait();
  world.settle();
  CHECK(dones == 0);
  CHECK_FALSE(second_ran);
}

TEST_CASE("own thread: destruction waits for a job that ends in time") {
  World world;
  std::atomic<bool> ended = false;
  std::promise<void> begun;
  std::promise<void> gate;
  auto work = std::make_unique<UvOwnThread>(world.loop, Duration::seconds(20));
  work->run(
      [&] {
        begun.set_value();
        gate.get_future().wait();
        ended = true;
      },
      [] {});
  begun.get_future().wait();
  std::thread opener([&gate] { gate.set_value(); });
  work.reset();
  CHECK(ended);
  opener.join();
}

TEST_CASE("own thread: a done may end the owner") {
  World world;
  auto work = std::make_unique<UvOwnThread>(world.loop);
  int dones = 0;
  const auto done = [&] {
    ++dones;
    work.reset();
    world.stop();
  };
  work->run([] {}, done);
  work->run([] {}, done);
  world.run();
  world.settle();
  CHECK(dones == 1);
}
