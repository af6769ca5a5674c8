#include "firmware/proxy/shadow.h"

#include <doctest/doctest.h>

#include "firmware/valve/rules/rules.h"
#include "tests/script/memory.h"
#include "tests/script/sim_time.h"

using namespace sluice;
using namespace sluice::proxy;

namespace {

valve::NodeView node(uint8_t id, valve::Place place, int64_t price_out) {
  valve::NodeView node;
  node.id = {id};
  node.name = place == valve::Place::local ? "gpu" : "cloud";
  node.place = place;
  node.health = valve::Health::up;
  node.price_out_nano = price_out;
  return node;
}

// The valve's own decision where one local and one cloud node are idle: it stays home.
valve::Decision decision(int in_flight_here) {
  valve::Decision made;
  made.ask.model = "m";
  made.ask.prompt_tokens = {100};
  made.ask.output_tokens_max = {100};
  made.ask.may_use = valve::NodeSet::from_bits(3);
  made.ask.deadline = Instant::from_us(1'000'000'000);
  made.view.now = Instant::from_us(1000);
  made.view.nodes = {node(0, valve::Place::local, 0), node(1, valve::Place::cloud, 4000)};
  made.view.nodes[0].in_flight = in_flight_here;
  made.view.nodes[0].slots = 8;
  made.plan = valve::decide_by_rule(made.ask, made.view, made.policy, made.draw);
  return made;
}

struct World {
  script::SimClock clock;
  script::SimCalendar calendar{clock};
  script::SimTimers timers{clock};
  script::CountedDecisions journal;
  Shadow shadow{journal, clock, calendar, timers};
};

const ShadowRule kCloudOnly{"cloud-only", valve::Rule::cloud_only, {}};
const ShadowRule kLocalOnly{"local-only", valve::Rule::local_only, {}};

}  // namespace

TEST_CASE("shadow: off it sees nothing, and the journal gets all") {
  World world;
  world.shadow.on_decision(decision(0));
  world.timers.settle();
  CHECK(world.journal.made.size() == 1);
  CHECK_FALSE(world.shadow.shadow().has_value());
}

TEST_CASE("shadow: counts where the second would have gone, and what that costs") {
  World world;
  world.shadow.set_rule(kCloudOnly);
  for (int i = 0; i < 10; ++i) world.shadow.on_decision(decision(0));
  CHECK(world.journal.made.size() == 10);
  CHECK(world.shadow.shadow()->decisions == 0);  // not inside the first's call
  world.timers.settle();
  const ShadowReport report = *world.shadow.shadow();
  CHECK(report.name == "cloud-only");
  CHECK(report.decisions == 10);
  CHECK(report.to_cloud == 10);
  CHECK(report.differ() == 10);
  CHECK(report.first.cloud == 0);
  CHECK(report.first.cost.nano == 0);
  CHECK(report.second.cloud == 10);
  CHECK(report.second.cost.nano == 10 * 100 * 4000);
}

TEST_CASE("shadow: predicts which of the two keeps the service level") {
  World world;
  world.shadow.set_rule(kLocalOnly);
  for (int i = 0; i < 5; ++i) world.shadow.on_decision(decision(8));  // every slot is taken
  world.timers.settle();
  const ShadowReport report = *world.shadow.shadow();
  CHECK(report.to_home == 5);
  CHECK(report.first.kept == 5);
  CHECK(report.second.sent == 5);
  CHECK(report.second.kept == 0);
  CHECK(report.second.cost.nano == 0);
  CHECK(report.first.cost.nano > 0);
}

TEST_CASE("shadow: the same rule twice differs in nothing") {
  World world;
  world.shadow.set_rule({"predict", valve::Rule::predict, {}});
  for (int i = 0; i < 12; ++i) world.shadow.on_decision(decision(i));
  world.timers.settle();
  CHECK(world.shadow.shadow()->decisions == 12);
  CHECK(world.shadow.shadow()->differ() == 0);
}

TEST_CASE("shadow: what it costs is bounded, and what it passes over is counted") {
  World world;
  world.shadow.set_rule(kCloudOnly);
  for (int i = 0; i < 1000; ++i) world.shadow.on_decision(decision(0));
  CHECK(world.shadow.shadow()->passed_over == 1000 - Shadow::kPendingMax);
  for (int burst = 0; burst < 10; ++burst) {
    world.timers.settle();
    for (int i = 0; i < 60; ++i) world.shadow.on_decision(decision(0));
  }
  world.timers.settle();
  CHECK(world.shadow.shadow()->decisions == Shadow::kPerSecondMax);
  CHECK(world.shadow.shadow()->decisions + world.shadow.shadow()->passed_over == 1600);
  world.timers.pass(Duration::seconds(1));
  world.shadow.on_decision(decision(0));
  world.timers.settle();
  CHECK(world.shadow.shadow()->decisions == Shadow::kPerSecondMax + 1);
}

TEST_CASE("shadow: another rule begins anew, the same one counts on") {
  World world;
  world.shadow.set_rule(kCloudOnly);
  world.shadow.on_decision(decision(0));
  world.timers.settle();
  world.shadow.set_rule(kCloudOnly);
  CHECK(world.shadow.shadow()->decisions == 1);
  world.shadow.on_decision(decision(0));
  world.shadow.set_rule({"green", {}, valve::Goal::green});
  world.timers.settle();
  CHECK(world.shadow.shadow()->decisions == 0);
  CHECK(world.shadow.shadow()->name == "green");
}
