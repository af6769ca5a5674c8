// An upgrade in place: two processes count into one folder and one store.
#include <doctest/doctest.h>

#include "tests/unit/meter/meter_world.h"

using namespace sluice;
using namespace sluice::meter;

namespace {

// The end of the old process, well or not, as the disk sees it.
void end_before(World& world, bool well) {
  world.power.dead = !well;
  world.before.reset();
  world.power = Power();
}

}  // namespace

TEST_CASE("two processes: open attempts of the old one are no leftovers while it lives") {
  World world;
  world.boot();
  world.start(1);
  world.start(2);
  world.succeed();
  world.start(3);
  world.end(3);
  world.pass(Duration::seconds(60));
  CHECK(world.store.rows.size() == 1);
  CHECK(world.outcome(3) == "served");
  world.before->end(1, ended());
  world.before->end(2, ended(Outcome::client_gone));
  world.pass(Duration::seconds(1));
  end_before(world, true);
  world.pass(Meter::kLookAgain);
  CHECK(world.outcome(1) == "served");
  CHECK(world.outcome(2) == "client_gone");
  CHECK(world.store.rows.size() == 3);
  CHECK(world.journals() == 1);
  CHECK(world.files.content.count("/j/attempts-1.lock") == 0);
}

TEST_CASE("two processes: what the old one leaves when it is killed is stored a little later") {
  World world;
  world.settings.journal_max = {300};  // starts and ends in different files
  world.boot();
  for (uint64_t id = 1; id <= 4; ++id) world.start(id);
  world.succeed();
  world.before->end(2, ended());  // its row waits, and its journal has it
  world.before->end(3, ended());
  world.start(9);
  end_before(world, false);
  world.pass(Meter::kLookAgain + Duration::seconds(1));
  CHECK(world.outcome(1) == "interrupted");
  CHECK(world.outcome(2) == "served");
  CHECK(world.outcome(3) == "served");
  CHECK(world.outcome(4) == "interrupted");
  world.end(9);
  world.pass(Duration::seconds(1));
  CHECK(world.store.rows.size() == 5);
  CHECK(world.journals() <= 2);
}

TEST_CASE(
    "two processes: when the new one is killed, the next finds its attempts, the old counts on") {
  World world;
  world.boot();
  world.pass(Duration::ms(1));  // the table
  world.start(1);
  world.succeed();
  world.start(2);
  world.start(3);
  world.end(3);
  world.power.dead = true;
  world.meter.reset();
  world.store.forget();
  world.work.forget();
  world.power = Power();
  world.boot();  // a fresh start beside the old one, which still drains
  world.pass(Duration::seconds(10));
  CHECK(world.outcome(1) == "");
  CHECK(world.outcome(2) == "interrupted");
  CHECK(world.outcome(3) == "served");
  world.before->end(1, ended());
  world.pass(Duration::seconds(1));
  CHECK(world.outcome(1) == "served");
  CHECK(world.store.rows.size() == 3);
  CHECK(world.store.inserts == 3);
}

TEST_CASE("two processes: three at a time keep apart, and all is stored once") {
  World world;
  world.boot();
  world.start(1);
  world.succeed();
  world.start(2);
  const std::unique_ptr<Meter> oldest = std::move(world.before);
  world.succeed();
  world.start(3);
  CHECK(world.journals() == 3);
  oldest->end(1, ended());
  world.before->end(2, ended());
  world.end(3);
  world.pass(Duration::seconds(5));
  CHECK(world.store.rows.size() == 3);
  CHECK(world.store.inserts == 3);
}
