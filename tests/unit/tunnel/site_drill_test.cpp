// Rehearsals of failover: what they cut they give back, however they end.
#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

namespace {

constexpr TrafficClass kInteractive = TrafficClass::interactive;

struct Rehearsal {
  std::optional<Result<DrillReport>> report;
  int told = 0;
  explicit Rehearsal(World& world) {
    world.site->drill("test", [this](Result<DrillReport> result) {
      report = std::move(result);
      ++told;
    });
  }
  ErrorKind refusal() const {
    REQUIRE(report);
    REQUIRE_FALSE(report->has_value());
    return report->error().kind;
  }
};

}  // namespace

TEST_CASE("drill: traffic leaves the path that is cut, returns, and the report tells how fast") {
  World world;
  world.settle_in();
  Rehearsal drill(world);
  CHECK_FALSE(drill.report);
  world.pass(Duration::ms(100));
  CHECK(world.programs.cut == "slw0");
  CHECK(Rehearsal(world).refusal() == ErrorKind::busy);
  world.pass(Duration::seconds(25));
  REQUIRE(drill.report);
  REQUIRE(*drill.report);
  CHECK(drill.told == 1);
  const DrillReport& report = **drill.report;
  CHECK(report.passed);
  REQUIRE(report.steps.size() == 1);
  CHECK(report.steps[0].from == "wan0/north/udp4");
  CHECK(report.steps[0].to == "wan1/north/udp4");
  CHECK(report.steps[0].switched <= Duration::ms(500));
  CHECK(report.steps[0].switched > Duration::ms(50));
  CHECK(report.steps[0].detect <= report.steps[0].switched);
  CHECK(report.steps[0].probes_lost >= 5);
  CHECK(report.steps[0].returned);
  CHECK(report.en.find("has returned") != std::string::npos);
  CHECK(world.programs.cut.empty());
  CHECK(world.by(kInteractive) == "slw0");
  CHECK(world.leaks == 0);
  // What comes after is no drill.
  world.pass(Duration::seconds(120));
  world.wires["wan0"].cut = true;
  world.pass(Duration::seconds(2));
  CHECK(world.by(kInteractive) == "slw1");
  const std::string& records = world.files.files.at("state/tunnel/switches.jsonl");
  const std::string last = records.substr(records.rfind('\n', records.size() - 2) + 1);
  CHECK(records.find("\"drill\":true") != std::string::npos);
  CHECK(last.find("\"drill\":true") == std::string::npos);
}

TEST_CASE("drill: it is refused where it would be an outage") {
  SUBCASE("no other path is good") {
    World world;
    world.settle_in();
    world.wires["wan1"].cut = true;
    world.pass(Duration::seconds(2));
    CHECK(Rehearsal(world).refusal() == ErrorKind::refused);
    CHECK(world.programs.count("sluice_drill") <= 1);  // what a start takes away
  }
  SUBCASE("failover is off") {
    World world;
    world.settings.failover = false;
    world.settle_in();
    CHECK(Rehearsal(world).refusal() == ErrorKind::refused);
  }
  SUBCASE("traffic is not well") {
    World world;
    world.settle_in();
    world.wires["wan0"].cut = world.wires["wan1"].cut = true;
    world.pass(Duration::seconds(2));
    CHECK(Rehearsal(world).refusal() == ErrorKind::busy);
  }
  SUBCASE("no network was joined") {
    World world;
    world.start();
    CHECK(Rehearsal(world).refusal() == ErrorKind::busy);
  }
}

TEST_CASE("drill: a path that cannot be cut is no drill, and nothing is cut") {
  World world;
  world.settle_in();
  world.programs.answers =
      [](const ports::ProgramSpec& spec) -> std::optional<Result<ports::ProgramEnd>> {
    if (spec.input.find("counter drop") == std::string::npos) return std::nullopt;
    return ports::ProgramEnd{1, "", "Operation not permitted"};
  };
  Rehearsal drill(world);
  world.pass(Duration::seconds(1));
  CHECK(drill.refusal() == ErrorKind::unsupported);
  CHECK(drill.report->error().text.find("not permitted") != std::string::npos);
  CHECK(world.by(kInteractive) == "slw0");
  world.programs.answers = nullptr;
  Rehearsal again(world);
  world.pass(Duration::seconds(25));
  REQUIRE(again.report);
  CHECK(again.report->has_value());
}

TEST_CASE("drill: leaving in the middle ends it, answers, and gives the path back") {
  World world;
  world.settle_in();
  world.guarded = false;
  Rehearsal drill(world);
  world.pass(Duration::ms(50));
  REQUIRE(world.programs.cut == "slw0");
  world.site->leave("test", [](const Result<void>&) {});
  world.pass(Duration::seconds(3));
  CHECK(drill.told == 1);
  CHECK(drill.refusal() == ErrorKind::gone);
  CHECK(world.programs.cut.empty());
  world.join();
  world.pass(Duration::seconds(30));
  CHECK(world.carries());
  world.wires["wan0"].cut = true;
  world.pass(Duration::seconds(2));
  const std::string& records = world.files.files.at("state/tunnel/switches.jsonl");
  CHECK(records.find("\"drill\":true") == std::string::npos);
}

TEST_CASE("drill: a cut that could not be taken away is tried again until it could") {
  World world;
  world.settle_in();
  bool stuck = true;
  world.programs.answers =
      [&stuck](const ports::ProgramSpec& spec) -> std::optional<Result<ports::ProgramEnd>> {
    const bool removal = spec.input == drill_removal();
    if (!stuck || !removal) return std::nullopt;
    return ports::ProgramEnd{1, "", "busy"};
  };
  Rehearsal drill(world);
  world.pass(Duration::seconds(60));
  REQUIRE(drill.report);
  CHECK_FALSE((*drill.report)->passed);
  CHECK((*drill.report)->en.find("has not returned") != std::string::npos);
  CHECK(world.programs.cut == "slw0");
  stuck = false;
  world.pass(Duration::seconds(8));
  CHECK(world.programs.cut.empty());
  CHECK(world.carries());
}

TEST_CASE("drill: the cut of an earlier run of the program is taken away at the start") {
  World world;
  world.settle_in();
  Rehearsal drill(world);
  world.pass(Duration::ms(50));
  REQUIRE(world.programs.cut == "slw0");
  world.restart();
  world.pass(Duration::seconds(2));
  CHECK(world.programs.cut.empty());
  world.pass(Duration::seconds(60));
  CHECK(world.by(kInteractive) == "slw0");
}
