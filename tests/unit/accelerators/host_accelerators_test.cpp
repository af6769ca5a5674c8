#include "firmware/sense/host_accelerators.h"

#include <doctest/doctest.h>

#include <deque>

#include "tests/unit/sense_io/probe_world.h"

using namespace sluice;
using namespace sluice::sense;
using ports::AcceleratorLook;
using ports::AcceleratorState;
using State = AcceleratorSourceState;

namespace {

// Jobs run when the test says so.
struct HeldWork final : ports::Work {
  struct Order {
    Callback job;
    Callback done;
  };
  std::deque<Order> orders;
  void run(Callback job, Callback done) override {
    orders.push_back({std::move(job), std::move(done)});
  }
  void finish_one() {
    REQUIRE_FALSE(orders.empty());
    const Order order = std::move(orders.front());
    orders.pop_front();
    order.job();
    order.done();
  }
};

struct SetSource final : ports::Accelerators {
  AcceleratorLook told;
  const char* name() const override { return "nvml"; }
  AcceleratorLook look() override { return told; }
};

AcceleratorLook one_device(double health = 1) {
  ports::AcceleratorReading reading;
  reading.id = "GPU-1";
  reading.name = "H100\n\xff";
  reading.vendor = "nvidia";
  reading.busy = {0.97, "nvmlDeviceGetUtilizationRates"};
  reading.memory_used_bytes = {1024.0, "processes", true};
  reading.power_w = {std::nullopt, "not supported by this device (code 3)"};
  reading.health = {health, "nvml"};
  if (health == 0) reading.trouble = "the device has fallen off the bus";
  return {AcceleratorState::answers, "", {reading}};
}

struct HostWorld {
  ProbeWorld time;
  HeldWork work;
  std::shared_ptr<SetSource> source = std::make_shared<SetSource>();
  int changes = 0;
  std::unique_ptr<HostAccelerators> host;

  HostWorld() {
    source->told = one_device();
    host = std::make_unique<HostAccelerators>(HostAcceleratorPorts{work, time, time}, source,
                                              HostLookTimes{}, [this] { ++changes; });
    host->start();
  }
  // Seconds from now until the next look is asked for.
  double wait_for_look() {
    const Instant before = time.now();
    while (work.orders.empty()) time.run_for(Duration::ms(100));
    return (time.now() - before).as_seconds();
  }
  AcceleratorSourceReport report() { return host->report(time.now()); }
};

}  // namespace

TEST_CASE("host accelerators: a look's values are told with who told them, or why nobody does") {
  HostWorld world;
  CHECK(world.report().state == State::waiting);
  CHECK_FALSE(world.report().age);
  world.wait_for_look();
  world.work.finish_one();
  const AcceleratorSourceReport report = world.report();
  CHECK(report.name == "host nvml");
  CHECK(report.state == State::answers);
  CHECK(world.changes == 1);
  REQUIRE(report.accelerators.size() == 1);
  const AcceleratorLoad& load = report.accelerators[0];
  CHECK(load.name == "H100??");
  CHECK(load.busy.value == 0.97);
  CHECK(load.busy.confidence == Confidence::told);
  CHECK(load.busy.source == "nvmlDeviceGetUtilizationRates");
  CHECK(load.memory_used_bytes.confidence == Confidence::derived);
  CHECK_FALSE(load.power_w.value);
  CHECK(load.power_w.confidence == Confidence::absent);
  CHECK(load.power_w.source == "not supported by this device (code 3)");
  CHECK(load.temperature_c.source == "not told");
}

TEST_CASE("host accelerators: looks come at the pace, one at a time") {
  HostWorld world;
  world.wait_for_look();
  world.time.run_for(Duration::seconds(30));
  CHECK(world.work.orders.size() == 1);
  world.work.finish_one();
  CHECK(world.wait_for_look() == doctest::Approx(1));
  world.work.finish_one();
  CHECK(world.wait_for_look() == doctest::Approx(1));
}

TEST_CASE("host accelerators: a look that does not come back is said, and figures go stale") {
  HostWorld world;
  world.wait_for_look();
  world.work.finish_one();
  world.wait_for_look();
  world.time.run_for(Duration::ms(2900));
  CHECK(world.report().state == State::answers);
  world.time.run_for(Duration::ms(200));
  CHECK(world.report().state == State::silent);
  CHECK(world.report().why.find("hangs") != std::string::npos);
  CHECK(world.changes == 2);
  const AcceleratorLoad stale = world.report().accelerators.at(0);
  CHECK(stale.busy.value == 0.97);
  CHECK(stale.busy.confidence == Confidence::stale);
  CHECK(world.report().age >= Duration::seconds(4));
  world.work.finish_one();
  CHECK(world.report().state == State::answers);
  CHECK(world.report().accelerators.at(0).busy.confidence == Confidence::told);
  CHECK(world.changes == 3);
}

TEST_CASE("host accelerators: without an answer the gaps widen to a minute, and narrow again") {
  HostWorld world;
  world.source->told = {AcceleratorState::no_library, "cannot be loaded", {}};
  world.wait_for_look();
  world.work.finish_one();
  for (const double gap : {2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0}) {
    CHECK(world.wait_for_look() == doctest::Approx(gap));
    world.work.finish_one();
  }
  CHECK(world.report().state == State::no_library);
  CHECK(world.report().why == "cannot be loaded");
  CHECK(world.changes == 1);
  world.source->told = one_device();
  world.wait_for_look();
  world.work.finish_one();
  CHECK(world.wait_for_look() == doctest::Approx(1));
}

TEST_CASE("host accelerators: a device that is lost is told once, and once when it is back") {
  HostWorld world;
  for (const double health : {1.0, 0.0, 0.0, 1.0, 1.0}) {
    world.source->told = one_device(health);
    world.wait_for_look();
    world.work.finish_one();
  }
  CHECK(world.changes == 3);
  world.source->told = one_device(0);
  world.wait_for_look();
  world.work.finish_one();
  CHECK(world.report().accelerators.at(0).health.value == 0.0);
  CHECK(world.report().accelerators.at(0).trouble == "the device has fallen off the bus");
}

TEST_CASE("host accelerators: who has no device any more keeps no figures; who is forgotten too") {
  HostWorld world;
  world.wait_for_look();
  world.work.finish_one();
  world.source->told = {AcceleratorState::driver_not_running, "not loaded", {}};
  world.wait_for_look();
  world.work.finish_one();
  CHECK(world.report().accelerators.size() == 1);
  CHECK(world.host->report(world.time.now() + kAcceleratorForgotten).accelerators.empty());
  world.source->told = {AcceleratorState::no_device, "none", {}};
  world.wait_for_look();
  world.work.finish_one();
  CHECK(world.report().accelerators.empty());
}

TEST_CASE("host accelerators: a look that comes back after the end is not heard") {
  HostWorld world;
  world.wait_for_look();
  world.host->stop();
  world.work.finish_one();
  CHECK(world.changes == 0);
  CHECK(world.report().state == State::waiting);
  world.host.reset();
  CHECK(world.work.orders.size() == 1);  // the source ends off the loop
  CHECK(world.source.use_count() == 2);
  world.work.finish_one();
  CHECK(world.source.use_count() == 1);
}
