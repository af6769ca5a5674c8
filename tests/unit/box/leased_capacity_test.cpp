#include "firmware/box/leased_capacity.h"

#include <doctest/doctest.h>

#include "drivers/uv/loop.h"
#include "firmware/box/driver_book.h"
#include "firmware/box/node_book.h"
#include "tests/script/memory.h"
#include "tests/script/scripted_client.h"
#include "tests/script/sim_time.h"
#include "tests/sim/lease_platform.h"
#include "tests/unit/capacity/offers.h"

using namespace sluice;
using namespace sluice::box;

namespace {

struct SetMeter : meter::MeterView {
  std::map<meter::NodeModel, meter::NodeModelTotals> all;
  const std::map<meter::NodeModel, meter::NodeModelTotals>& totals() const override { return all; }
  meter::Share share(Instant) const override { return {}; }
  size_t unstored_rows() const override { return 0; }
  Money spent_in_all() const override { return {}; }
};

settings::NodeSettings per_token() {
  settings::NodeSettings node;
  node.name = "far";
  node.place = settings::Place::cloud;
  node.url = "http://192.0.2.1:8000";
  node.models = {{"m", "m", {}}};
  node.price.output_per_million = {20'000'000'000};  // 20,000 billionths a token
  node.data_classes = {settings::DataClass::open};
  return node;
}

// The box's own parts around a platform in virtual time.
struct World : NodeLender {
  World() {
    platform.on_offer = {capacity::sample_offer()};
    config.live.nodes = {per_token()};
    config.live.service_levels = {{}};
    use();
    leased =
        std::make_unique<LeasedCapacity>(LeasedCapacityPorts{clock, calendar, timers, files, random,
                                                             platform, meter, senses, *this, log},
                                         "/leases.json");
    REQUIRE(leased->start({}).has_value());
  }

  void lend(const capacity::LeasedNode& node) override {
    book.lend(node);
    use();
  }
  void take_back(const std::string& node) override {
    book.take_back(node);
    use();
  }
  void use() { REQUIRE(book.configure(config, nodes).has_value()); }

  // Every observation is answered or not; so many answer tokens a second flow to the cloud.
  void flow(int seconds, int64_t output_tps, bool answers = true) {
    for (int s = 0; s < seconds; ++s) {
      if (output_tps > 0) meter.all[{"far", "m", valve::Place::cloud}].out_tokens += output_tps;
      timers.pass(Duration::seconds(1));
      if (sense::NodeState* state = senses.find("leased-1")) {
        state->health(answers, answers ? "" : "silence", clock.now());
      }
    }
  }

  const sense::NodeState* node() { return senses.find("leased-1"); }
  bool is_lent() { return node() != nullptr && !senses.is_retired(node()->id()); }

  script::SimClock clock;
  script::SimCalendar calendar{clock};
  script::SimTimers timers{clock};
  script::MemoryFiles files;
  script::SimRandom random{1};
  script::SimRandom chance{2};
  script::SilentLog log;
  sim::SimLeasePlatform platform{clock, timers, chance};
  SetMeter meter;
  sense::Senses senses;
  proxy::WaitingRoom room{clock, timers, 10};
  drivers::UvLoop loop;
  script::ScriptedClient client;
  NodeBook book{{loop, client, files, timers, clock, random, senses, room, log},
                std::make_shared<const sense::DriverCatalog>(*built_in_drivers())};
  std::map<valve::NodeId, proxy::NodeAccess> nodes;
  settings::Settings config;
  std::unique_ptr<LeasedCapacity> leased;
};

}  // namespace

TEST_CASE(
    "leased capacity: what the meter counts in the cloud opens a lease, which becomes a node") {
  World world;
  world.flow(120, 1000);
  CHECK_FALSE(world.is_lent());
  world.flow(120, 1000);
  REQUIRE(world.is_lent());
  const sense::NodeProfile& profile = world.node()->profile();
  CHECK(profile.place == valve::Place::cloud);
  CHECK(profile.concurrency_limit == 64);
  CHECK(profile.price_in_nano == 0);
  CHECK(profile.price_out_nano == 0);
  CHECK(world.node()->upstream_name("m") == "m");
  const proxy::NodeAccess& access = world.nodes.at(world.node()->id());
  CHECK(access.target.credential_value == "Bearer key");
  CHECK(access.target.origin.text().find(".example") != std::string::npos);
  CHECK(access.data.is_cloud);
  CHECK(access.data.accepts_internal);
  CHECK(world.files.files.at("/leases.json").find("Bearer") == std::string::npos);
  CHECK(world.files.files.at("/leases.json").find("\"key\"") == std::string::npos);
  // What it serves itself is demand too: it stays.
  for (int s = 0; s < 600; ++s) {
    world.meter.all[{"leased-1", "m", valve::Place::cloud}].out_tokens += 1000;
    world.flow(1, 0);
  }
  CHECK(world.is_lent());
  world.flow(300, 0);
  CHECK_FALSE(world.is_lent());
  CHECK(world.platform.billed.empty());
}

TEST_CASE("leased capacity: what was counted before the start is no demand") {
  World world;
  world.leased.reset();
  world.meter.all[{"far", "m", valve::Place::cloud}].out_tokens = 1'000'000'000;
  world.leased = std::make_unique<LeasedCapacity>(
      LeasedCapacityPorts{world.clock, world.calendar, world.timers, world.files, world.random,
                          world.platform, world.meter, world.senses, world, world.log},
      "/leases.json");
  REQUIRE(world.leased->start({}).has_value());
  world.flow(600, 0);
  CHECK(world.platform.starts == 0);
}

TEST_CASE("leased capacity: tokens at home are no demand, nor those of a model without a price") {
  World world;
  for (int s = 0; s < 600; ++s) {
    world.meter.all[{"gpu", "m", valve::Place::local}].out_tokens += 5000;
    world.meter.all[{"far", "other", valve::Place::cloud}].out_tokens += 5000;
    world.flow(1, 0);
  }
  CHECK(world.platform.starts == 0);
}

TEST_CASE("leased capacity: an instance that does not answer is closed") {
  World world;
  world.flow(240, 1000, false);
  CHECK(world.platform.starts == 1);
  world.flow(60, 1000, false);
  CHECK_FALSE(world.is_lent());
  CHECK(world.platform.billed.empty());
}
