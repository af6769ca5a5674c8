#include "firmware/capacity/leases.h"

#include <doctest/doctest.h>

#include <functional>
#include <set>

#include "tests/script/memory.h"
#include "tests/script/sim_time.h"
#include "tests/sim/lease_platform.h"
#include "tests/unit/capacity/offers.h"

using namespace sluice;
using namespace sluice::capacity;

namespace {

const std::string kBook = "/state/leases.json";

class Nodes : public LeasedNodes {
 public:
  explicit Nodes(const sim::SimLeasePlatform& platform, const ports::Clock& clock)
      : platform_(platform), clock_(clock) {}
  std::map<std::string, LeasedNode> serving;
  std::map<std::string, int> running;
  void on_lease_serves(const LeasedNode& node) override {
    REQUIRE(serving.emplace(node.name, node).second);
    since_ = clock_.now();
  }
  void on_lease_leaves(const std::string& node) override { serving.erase(node); }
  int in_flight(const std::string& node) const override {
    const auto found = running.find(node);
    return found == running.end() ? 0 : found->second;
  }
  Duration silent(const std::string& node) const override {
    const auto found = serving.find(node);
    if (found == serving.end()) return {};
    for (const auto& [lease, instance] : platform_.billed) {
      if (sim::SimLeasePlatform::url_of(lease) != found->second.url) continue;
      return instance.answers ? Duration() : clock_.now() - since_;
    }
    return clock_.now() - since_;
  }

 private:
  const sim::SimLeasePlatform& platform_;
  const ports::Clock& clock_;
  Instant since_;
};

// The disk and the platform as a process sees them: after its death nothing of it reaches either.
class MortalFiles : public script::MemoryFiles {
 public:
  int writes = 0;
  int dies_at = -1;         // the write with this number
  bool write_lands = true;  // that write
  bool dead = false;
  bool full = false;
  Result<void> replace(const std::string& path, std::string_view content) override {
    if (full) return Error{ErrorKind::busy, "memory", "the disk is full"};
    if (dead) return Error{ErrorKind::busy, "memory", "dead"};
    const bool last = writes++ == dies_at;
    if (!last || write_lands) files[path] = std::string(content);
    dead = last;
    return {};
  }
};

class MortalPlatform : public ports::LeasePlatform {
 public:
  MortalPlatform(ports::LeasePlatform& real, const bool& dead) : real_(real), dead_(dead) {}
  void set_sink(ports::LeaseSink* sink) override { real_.set_sink(sink); }
  std::vector<ports::LeaseOffer> offers() const override { return real_.offers(); }
  void open(const std::string& lease, const ports::LeaseOffer& offer) override {
    if (!dead_) real_.open(lease, offer);
  }
  void close(const std::string& lease) override {
    if (!dead_) real_.close(lease);
  }
  void list() override {
    if (!dead_) real_.list();
  }

 private:
  ports::LeasePlatform& real_;
  const bool& dead_;
};

struct World {
  explicit World(uint64_t seed = 1) : random(seed), chance(seed * 7919) {
    real.on_offer = {sample_offer()};
    boot();
  }

  void boot() {
    leases.reset();
    nodes = std::make_unique<Nodes>(real, clock);
    leases = std::make_unique<Leases>(
        LeasesPorts{clock, calendar, timers, files, random, platform, *nodes, log}, kBook);
    started = leases->start(policy).has_value();
  }

  // So many answer tokens a second, each at 20,000 billionths: twice the rent at 1,000.
  void flow(Duration time, int64_t output_tps) {
    for (Duration t; t < time; t = t + Duration::seconds(1)) {
      if (output_tps > 0) leases->note("m", {0}, {output_tps}, 0, 20'000);
      timers.pass(Duration::seconds(1));
      if (files.dead) {
        files.dead = false;
        boot();
      }
      check();
    }
  }

  // What is billed is on disk as something that costs; what serves is billed.
  void check() {
    const auto file = files.files.find(kBook);
    std::set<std::string> known;
    if (file != files.files.end()) {
      const Result<LeaseBook> book = read_book(file->second);
      REQUIRE(book.has_value());
      for (const Step& step : book->leases) {
        if (may_cost(step)) known.insert(step.lease);
      }
    }
    for (const auto& billed : real.billed) {
      CAPTURE(billed.first);
      REQUIRE(known.contains(billed.first));
    }
  }

  std::string state() const {
    const CapacityReport report = leases->report();
    return report.leases.empty() ? "none" : report.leases.front().state;
  }

  script::SimClock clock;
  script::SimCalendar calendar{clock};
  script::SimTimers timers{clock};
  MortalFiles files;
  script::SimRandom random;
  script::SimRandom chance;
  script::SilentLog log;
  sim::SimLeasePlatform real{clock, timers, chance};
  MortalPlatform platform{real, files.dead};
  std::unique_ptr<Nodes> nodes;
  LeasePolicy policy;
  std::unique_ptr<Leases> leases;
  bool started = false;
};

constexpr Duration kMinute = Duration::seconds(60);

}  // namespace

TEST_CASE("leases: sustained overflow is leased, and released to zero when it ends") {
  World world;
  world.flow(kMinute, 1000);
  CHECK(world.real.starts == 0);
  world.flow(kMinute * 3, 1000);
  CHECK(world.real.starts == 1);
  CHECK(world.nodes->serving.size() == 1);
  CHECK(world.nodes->serving.at("leased-1").slots == 64);
  CHECK(world.nodes->serving.at("leased-1").credential == "key");
  CHECK(world.state() == "serving");
  world.flow(kMinute * 10, 1000);
  CHECK(world.real.starts == 1);
  world.flow(kMinute * 4, 0);
  CHECK(world.real.billed.empty());
  CHECK(world.nodes->serving.empty());
  CHECK(world.state() == "none");
}

TEST_CASE(
    "leases: while it opens the valve does not see it; while it drains nothing new goes there") {
  World world;
  while (world.state() != "opening") world.flow(Duration::seconds(1), 1000);
  world.flow(Duration::seconds(38), 1000);
  CHECK(world.state() == "opening");
  CHECK(world.nodes->serving.empty());
  world.flow(Duration::seconds(4), 1000);
  CHECK(world.nodes->serving.size() == 1);
  world.nodes->running["leased-1"] = 3;
  while (world.state() == "serving") world.flow(Duration::seconds(1), 0);
  CHECK(world.state() == "draining");
  CHECK(world.nodes->serving.empty());
  CHECK(world.real.billed.size() == 1);
  world.flow(kMinute, 0);
  CHECK(world.state() == "draining");
  world.nodes->running["leased-1"] = 0;
  world.flow(Duration::seconds(5), 0);
  CHECK(world.real.billed.empty());
}

TEST_CASE("leases: overflow that is cheaper by the token is never leased") {
  World world;
  world.flow(Duration::seconds(4 * 3600), 450);  // 0.9 of the rent
  CHECK(world.real.starts == 0);
}

TEST_CASE("leases: with confirm a proposal waits in the view, and goes when its reason goes") {
  World world;
  world.policy.confirm = true;
  world.leases->set_policy(world.policy);
  world.flow(kMinute * 5, 1000);
  CHECK(world.real.starts == 0);
  const CapacityReport report = world.leases->report();
  REQUIRE(report.leases.size() == 1);
  CHECK(report.leases[0].waits_for_consent);
  CHECK(report.leases[0].why.find("per-token cloud has cost") != std::string::npos);
  SUBCASE("agreed to, it is opened") {
    CHECK(world.leases->agree(report.leases[0].lease).has_value());
    CHECK(world.leases->agree(report.leases[0].lease).error().kind == ErrorKind::refused);
    world.flow(kMinute, 1000);
    CHECK(world.nodes->serving.size() == 1);
  }
  SUBCASE("it outlives a restart") {
    world.boot();
    CHECK(world.state() == "proposed");
    world.flow(kMinute, 1000);
    CHECK(world.real.starts == 0);
  }
  SUBCASE("declined, it is not proposed again for an hour") {
    CHECK(world.leases->decline(report.leases[0].lease).has_value());
    world.flow(kMinute * 59, 1000);
    CHECK(world.state() == "none");
    world.flow(kMinute * 5, 1000);
    CHECK(world.state() == "proposed");
  }
  SUBCASE("when demand falls away it is withdrawn") {
    world.flow(kMinute * 20, 0);
    CHECK(world.state() == "none");
  }
  CHECK(world.leases->agree("lease-x").error().kind == ErrorKind::gone);
}

TEST_CASE(
    "leases: a power cut at any write forgets nothing that costs money and starts nothing twice") {
  int writes = 0;
  {
    World world;
    world.flow(kMinute * 6, 1000);
    world.flow(kMinute * 6, 0);
    writes = world.files.writes;
    CHECK(world.real.starts == 1);
  }
  CHECK(writes > 5);
  for (int at = 0; at < writes; ++at) {
    for (const bool lands : {false, true}) {
      World world;
      world.files.dies_at = at + world.files.writes;
      world.files.write_lands = lands;
      CAPTURE(at);
      CAPTURE(lands);
      world.flow(kMinute * 12, 1000);
      CHECK(world.nodes->serving.size() == 1);
      CHECK(world.real.starts <= 2);
      world.flow(kMinute * 12, 0);
      CHECK(world.real.billed.empty());
      CHECK(world.state() == "none");
    }
  }
}

TEST_CASE("leases: a restart at any second ends in the same place") {
  for (int second = 0; second < 12 * 60; second += 7) {
    World world;
    const auto run = [&](Duration time, int64_t tps, int from) {
      for (int s = 0; s < time.as_seconds(); ++s) {
        if (from + s == second) world.boot();
        world.flow(Duration::seconds(1), tps);
      }
    };
    run(kMinute * 6, 1000, 0);
    run(kMinute * 12, 0, 360);
    CAPTURE(second);
    CHECK(world.real.billed.empty());
    CHECK(world.state() == "none");
    CHECK(world.real.starts <= 2);
  }
}

TEST_CASE("leases: what the platform bills and the book does not know is closed") {
  World world;
  world.flow(kMinute * 4, 1000);
  REQUIRE(world.real.billed.size() == 1);
  world.leases.reset();
  world.files.files.clear();  // the disk was replaced
  world.boot();
  world.timers.pass(Duration::seconds(30));
  CHECK(world.real.billed.empty());
}

TEST_CASE("leases: a book that cannot be read starts nothing and closes nothing") {
  World world;
  world.flow(kMinute * 4, 1000);
  world.leases.reset();
  world.files.files[kBook] = "{\"version\":1,\"leases\":[{\"state\":\"fancy\"}],\"starts_us\":[]}";
  world.boot();
  CHECK_FALSE(world.started);
  CHECK(world.leases->report().trouble.find("\"fancy\" is no state") != std::string::npos);
  world.timers.pass(kMinute * 10);
  CHECK(world.real.billed.size() == 1);
}

TEST_CASE("leases: a full disk starts nothing, and what runs is still closed") {
  World world;
  world.files.full = true;
  for (int s = 0; s < 600; ++s) {
    world.leases->note("m", {0}, {1000}, 0, 20'000);
    world.timers.pass(Duration::seconds(1));
  }
  CHECK(world.real.starts == 0);
  CHECK(world.leases->report().trouble.find("disk is full") != std::string::npos);
  world.files.full = false;
  world.flow(kMinute * 4, 1000);
  CHECK(world.nodes->serving.size() == 1);
  world.files.full = true;
  for (int s = 0; s < 600; ++s) world.timers.pass(Duration::seconds(1));
  CHECK(world.real.billed.empty());
}

TEST_CASE("leases: noise of every kind makes at most ten starts in any day") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    World world(seed);
    script::SimRandom chance(seed);
    std::deque<Instant> starts;
    int64_t tps = 0;
    int before = 0;
    for (int s = 0; s < 2 * 24 * 360; ++s) {  // ten seconds at a time
      if (chance.below(40) == 0) tps = chance.below(3) == 0 ? chance.below(6000) : 0;
      if (tps > 0) world.leases->note("m", {0}, {tps * 10}, 0, 20'000);
      world.timers.pass(Duration::seconds(10));
      for (; before < world.real.starts; ++before) starts.push_back(world.clock.now());
      while (!starts.empty() && world.clock.now() - starts.front() >= kDay) starts.pop_front();
      REQUIRE(starts.size() <= 10);
    }
    CHECK(before > 2);
  }
}

TEST_CASE("leases: with every fault of the platform nothing is left that costs money") {
  int starts = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    World world(seed);
    script::SimRandom chance(seed * 31);
    const auto sometimes = [&](double p) { return chance.below(2) == 0 ? p : 0.0; };
    world.real.faults = {sometimes(0.5), sometimes(0.5), sometimes(0.5),
                         sometimes(0.5), sometimes(0.4), sometimes(0.5)};
    for (int part = 0; part < 12; ++part) {
      if (chance.below(4) == 0) world.real.set_reachable(false);
      if (chance.below(3) == 0) world.boot();
      world.flow(kMinute * (1 + chance.below(8)), chance.below(2) * 1500);
      world.real.set_reachable(true);
    }
    world.flow(kMinute * 90, 0);
    CAPTURE(seed);
    CHECK(world.real.billed.empty());
    CHECK(world.state() == "none");
    starts += world.real.starts;
  }
  CHECK(starts > 30);
}

TEST_CASE(
    "leases: an instance that says it serves and does not answer is closed within two minutes") {
  World world;
  world.real.faults.false_front = 1;
  while (world.state() != "serving") world.flow(Duration::seconds(1), 1000);
  world.flow(Duration::seconds(70), 1000);
  CHECK(world.real.billed.empty());
  CHECK(world.nodes->serving.empty());
  // And the next start waits for longer each time.
  world.flow(Duration::seconds(24 * 3600), 1000);
  CHECK(world.real.starts <= 11);
}
