#include <doctest/doctest.h>

#include <set>

#include "firmware/meter/attempt_line.h"
#include "tests/unit/meter/meter_world.h"

using namespace sluice;
using namespace sluice::meter;

namespace {

// What must be in the store, whatever happened later.
struct Promise {
  std::set<uint64_t> started;  // start() came back
  std::set<uint64_t> ended;    // end() came back
  std::set<uint64_t> ending;   // end() was cut off: either outcome is right
};

void live(World& world, Promise& promise, uint64_t first, uint64_t count) {
  for (uint64_t id = first; id < first + count && !world.power.dead; ++id) {
    world.start(id);
    if (!world.power.dead) promise.started.insert(id);
    if (id % 5 == 0) continue;  // stays open
    if (world.power.dead) return;
    world.end(id, id % 3 == 0 ? Outcome::cut : Outcome::served);
    (world.power.dead ? promise.ending : promise.ended).insert(id);
    if (id % 4 == 0) world.pass(Duration::ms(120));
  }
}

void check(const World& world, const Promise& promise) {
  CHECK(world.store.rows.size() == promise.started.size());
  int64_t spent = 0;
  for (const auto& [id, row] : world.store.rows) spent += std::get<int64_t>(row.at(14));
  CHECK(world.meter->spent("k00000001").nano == spent);
  for (uint64_t id : promise.started) {
    CAPTURE(id);
    const std::string outcome = world.outcome(static_cast<int64_t>(id));
    const std::string own = id % 3 == 0 ? "cut" : "served";
    if (promise.ended.count(id) > 0) {
      CHECK(outcome == own);
    } else if (promise.ending.count(id) > 0) {
      CHECK((outcome == own || outcome == "interrupted"));
    } else {
      CHECK(outcome == "interrupted");
    }
  }
}

}  // namespace

TEST_CASE("meter: a crash between any two writes loses no attempt and stores none twice") {
  bool survived = false;
  for (int writes = 2; !survived; ++writes) {
    for (bool tear : {false, true}) {
      World world;
      world.settings.journal_max = {700};
      world.boot();
      Promise promise;
      world.power.writes_left = writes;
      world.power.tear = tear;
      live(world, promise, 1, 30);
      survived = !world.power.dead;
      world.crash();

      world.boot();  // the second life ends too: while it stores what the first left
      world.power.writes_left = writes % 11;
      world.power.tear = tear;
      world.pass(Duration::seconds(1));
      world.crash();

      world.boot();
      live(world, promise, 101, 4);
      world.pass(Duration::seconds(1));
      world.meter.reset();
      world.boot();
      world.pass(Duration::seconds(1));
      CAPTURE(writes);
      CAPTURE(tear);
      check(world, promise);
      CHECK(world.journals() == 1);
      CHECK(world.meter->health() == "");
    }
  }
}

TEST_CASE("meter: a torn last line is no fault") {
  World world;
  world.files.content["/j/attempts-4.journal"] =
      journal_head({}) + journal_line(attempt(1)) + journal_line(1, ended()) +
      journal_line(attempt(2)) + journal_line(2, ended()).substr(0, 9);
  world.boot();
  world.pass(Duration::seconds(1));
  CHECK(world.outcome(1) == "served");
  CHECK(world.outcome(2) == "interrupted");
  CHECK(world.meter->health() == "");
  CHECK(world.journals() == 1);
  CHECK(world.files.content.count("/j/attempts-1-1.journal") == 1);
}

TEST_CASE("meter: a file that was never begun is removed") {
  World world;
  world.files.content["/j/attempts-1.journal"] = "";
  world.files.content["/j/attempts-2.journal"] = "sluice-att";
  world.boot();
  world.pass(Duration::seconds(1));
  CHECK(world.journals() == 1);
  CHECK(world.meter->health() == "");
}

TEST_CASE("meter: good lines of a damaged file are stored, and the file is kept for people") {
  World world;
  world.files.content["/j/attempts-1.journal"] =
      journal_head({}) + journal_line(attempt(1)) + "rubbish\n" + journal_line(1, ended());
  world.boot();
  CHECK(world.files.content.count("/j/attempts-1.journal") == 1);  // until its rows are stored
  world.pass(Duration::seconds(1));
  CHECK(world.outcome(1) == "served");
  CHECK(world.files.content.count("/j/attempts-1.broken") == 1);
  CHECK(world.meter->health() ==
        "1 journal files could not be read whole and are kept; see the log");
  world.meter.reset();
  world.boot();
  CHECK(world.files.content.count("/j/attempts-1-1.journal") == 1);
  CHECK(world.meter->health() == "");
}

TEST_CASE("meter: a journal of an unknown version stays where it is") {
  World world;
  const std::string text = "sluice-attempts 2 CNY\nS\t1\n";
  world.files.content["/j/attempts-1.journal"] = text;
  world.files.content["/j/attempts-x.journal"] = "not ours";
  world.boot();
  world.pass(Duration::seconds(1));
  CHECK(world.files.content.at("/j/attempts-1.journal") == text);
  CHECK(world.files.content.at("/j/attempts-x.journal") == "not ours");
  CHECK(world.log.count("first line is not known") == 1);
  CHECK(world.store.rows.empty());
}

TEST_CASE("meter: an end whose start went with a stored file is nothing") {
  World world;
  world.files.content["/j/attempts-3.journal"] = journal_head({}) + journal_line(9, ended());
  world.boot();
  world.pass(Duration::seconds(1));
  CHECK(world.store.rows.empty());
  CHECK(world.meter->health() == "");
}

TEST_CASE("meter: rows found keep the currency they were priced in") {
  World world;
  Currency euro;
  REQUIRE(Currency::parse("EUR", &euro));
  world.files.content["/j/attempts-1.journal"] =
      journal_head(euro) + journal_line(attempt(1)) + journal_line(1, ended());
  world.boot();
  world.pass(Duration::seconds(1));
  CHECK(std::get<std::string>(world.store.rows.at(1).at(15)) == "EUR");
}
