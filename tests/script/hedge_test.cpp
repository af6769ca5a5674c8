// A second copy of what comes late: who wins, who is cancelled, and what is counted.
#include <doctest/doctest.h>

#include "tests/script/world.h"

namespace sluice::script {

namespace {

using Stage = ports::HttpFailure::Stage;
using meter::Outcome;
using Outcomes = std::vector<meter::Outcome>;

// Every node begins its answers within 100 ms; what takes longer is late.
struct HedgingWorld : World {
  HedgingWorld() {
    proxy.policy.valve.hedge = true;
    sense::SenseTimes times;
    times.late_quantile = 0.95;
    for (uint8_t i = 0; i < 3; ++i) senses.node({i}).set_times(times);
    for (int i = 0; i < 30; ++i) {
      ask("key-internal", kStream);
      pass(Duration::ms(100));
      serve(local());
    }
    senses.learn(clock.now());
    settle();  // the world reads its journal
    passed = outcomes().size();
  }
  static void serve(ScriptedClient& node) {
    node.last().stream_head();
    node.last().body(token_event("a"));
    node.last().body(kDone);
    node.last().end();
  }
  Outcomes since() const {
    const Outcomes all = outcomes();
    return {all.begin() + static_cast<std::ptrdiff_t>(passed), all.end()};
  }
  size_t passed = 0;
};

void finish(World& w) {
  w.finish();
  CHECK(w.violations == std::vector<std::string>{});
}

}  // namespace

TEST_CASE("hedge: a copy goes out when the first byte is late, and the first copy may still win") {
  HedgingWorld w;
  Client& client = w.ask("key-internal", kStream);
  const int here = w.local().count();
  w.pass(Duration::ms(50));
  CHECK(w.cheap().count() == 0);
  w.pass(Duration::ms(100));
  REQUIRE(w.cheap().count() == 1);
  CHECK(w.cheap().last().is_live());
  w.local().last().stream_head();
  w.local().last().body(token_event("b"));
  CHECK_FALSE(w.cheap().last().is_live());
  CHECK(client.fields.get("x-sluice-node") == "here");
  CHECK(client.body == token_event("b"));
  w.local().last().body(kDone);
  w.local().last().end();
  CHECK(client.ended);
  w.pass(Duration::seconds(1));
  CHECK(w.since() == Outcomes{Outcome::outrun, Outcome::served});
  CHECK(w.local().count() == here);
  CHECK(w.proxy.extras.extras().hedges == 1);
  CHECK(w.proxy.extras.extras().hedges_won == 0);
  finish(w);
}

TEST_CASE("hedge: the second copy wins with its first byte, the first is cancelled and metered") {
  HedgingWorld w;
  Client& client = w.ask("key-internal", kStream);
  w.pass(Duration::ms(150));
  REQUIRE(w.cheap().count() == 1);
  w.cheap().last().stream_head();
  CHECK(w.local().last().is_live());  // a head is no byte of an answer
  w.cheap().last().body(token_event("c"));
  CHECK_FALSE(w.local().last().is_live());
  CHECK(client.fields.get("x-sluice-node") == "cheap");
  w.cheap().last().body(token_event("d"));
  w.cheap().last().body(kDone);
  w.cheap().last().end();
  CHECK(client.ended);
  CHECK(client.body == token_event("c") + token_event("d") + std::string(kDone));
  w.settle();
  CHECK(w.since() == Outcomes{Outcome::outrun, Outcome::served});
  CHECK(w.billed().end()[-2].in == Tokens{8});  // its prompt: the engine has worked on it
  CHECK(w.billed().end()[-2].out == Tokens{0});
  CHECK(w.proxy.extras.extras().hedges_won == 1);
  finish(w);
}

TEST_CASE("hedge: the first fails while the second runs: the second goes on alone") {
  HedgingWorld w;
  Client& client = w.ask("key-internal", kStream);
  w.pass(Duration::ms(150));
  w.local().last().fail(Stage::before_head);
  w.settle();
  CHECK_FALSE(client.is_over());
  CHECK(w.cheap().last().is_live());
  CHECK(w.dear().count() == 0);
  HedgingWorld::serve(w.cheap());
  CHECK(client.ended);
  w.settle();
  CHECK(w.since() == Outcomes{Outcome::failed, Outcome::served});
  finish(w);
}

TEST_CASE("hedge: both fail: the candidate after the copy's is tried") {
  HedgingWorld w;
  Client& client = w.ask("key-internal", kStream);
  w.pass(Duration::ms(150));
  w.cheap().last().fail(Stage::before_head);
  w.settle();
  CHECK(w.dear().count() == 0);
  w.local().last().fail(Stage::before_head);
  w.settle();
  CHECK(w.cheap().count() == 1);
  REQUIRE(w.dear().count() == 1);
  HedgingWorld::serve(w.dear());
  CHECK(client.ended);
  w.settle();
  CHECK(w.since() == Outcomes{Outcome::failed, Outcome::failed, Outcome::served});
  finish(w);
}

TEST_CASE("hedge: what one node says of the request itself ends both") {
  HedgingWorld w;
  Client& client = w.ask("key-internal", kStream);
  w.pass(Duration::ms(150));
  w.cheap().last().answer(400, R"({"error":{"message":"bad temperature"}})");
  w.settle();
  CHECK(client.status == 400);
  CHECK_FALSE(w.local().last().is_live());
  CHECK(w.since() == Outcomes{Outcome::refused, Outcome::outrun});
  finish(w);
}

TEST_CASE("hedge: a client that leaves ends both copies") {
  HedgingWorld w;
  Client& client = w.ask("key-internal", kStream);
  w.pass(Duration::ms(150));
  REQUIRE(w.cheap().last().is_live());
  client.leave();
  w.settle();
  CHECK_FALSE(w.local().last().is_live());
  CHECK_FALSE(w.cheap().last().is_live());
  CHECK(w.since() == Outcomes{Outcome::client_gone, Outcome::client_gone});
  finish(w);
}

TEST_CASE(
    "hedge: home-only data gets no copy in the cloud, nor does what was forbidden meanwhile") {
  HedgingWorld w;
  w.ask("key-home", kStream);
  w.pass(Duration::seconds(2));
  HedgingWorld::serve(w.local());
  w.ask("key-internal", kStream);
  w.proxy.nodes[valve::NodeId{1}].data.accepts_internal = false;
  w.pass(Duration::seconds(2));
  HedgingWorld::serve(w.local());
  CHECK(w.cheap().count() + w.dear().count() == 0);
  finish(w);
}

TEST_CASE("hedge: after the first byte no copy goes out, however slow the rest is") {
  HedgingWorld w;
  Client& client = w.ask("key-internal", kStream);
  w.pass(Duration::ms(50));
  w.local().last().stream_head();
  w.local().last().body(token_event("a"));
  w.pass(Duration::seconds(10));
  CHECK(w.cheap().count() == 0);
  w.local().last().body(kDone);
  w.local().last().end();
  CHECK(client.ended);
  finish(w);
}

TEST_CASE("hedge: an answer in one piece is never sent twice for being late") {
  HedgingWorld w;
  w.ask("key-internal", chat());
  w.pass(Duration::seconds(10));
  CHECK(w.cheap().count() == 0);
  w.local().last().answer(200, "{}");
  finish(w);
}

TEST_CASE("hedge: never beyond the share, however many are late") {
  HedgingWorld w;
  for (int i = 0; i < 100; ++i) {
    w.ask("key-internal", kStream);
    w.pass(Duration::ms(300));
    HedgingWorld::serve(w.local());
    w.settle();
  }
  const int copies = w.cheap().count() + w.dear().count();
  CHECK(copies >= 1);
  CHECK(copies <= 130 * 5 / 100);
  CHECK(w.proxy.extras.extras().hedges == static_cast<uint64_t>(copies));
  finish(w);
}

TEST_CASE("hedge: off by default") {
  World w;
  for (int i = 0; i < 40; ++i) {
    w.ask("key-internal", kStream);
    w.pass(Duration::ms(i < 30 ? 100 : 2000));
    HedgingWorld::serve(w.local());
    w.senses.learn(w.clock.now());
  }
  CHECK(w.cheap().count() == 0);
  finish(w);
}

TEST_CASE("retries: when every node fails, the load on them grows by the budget and no more") {
  World w;
  w.proxy.extras.set_shares({0.1, 1, 0});
  sense::SenseTimes times;
  times.breaker.failures = 1'000'000;
  for (uint8_t n = 0; n < 3; ++n) w.senses.node({n}).set_times(times);
  int asked = 0;
  int told_not_to_retry = 0;
  for (int i = 0; i < 400; ++i) {
    Client& client = w.ask("key-internal", chat());
    ++asked;
    for (int tries = 0; tries < 3 && !client.is_over(); ++tries) {
      for (ScriptedClient* node : {&w.local(), &w.cheap(), &w.dear()}) {
        if (node->count() > 0 && node->last().is_live()) node->last().answer(500, "oops");
      }
      w.settle();
    }
    CHECK(client.status == 500);
    told_not_to_retry += client.fields.get("x-should-retry") == "false" ? 1 : 0;
    w.pass(Duration::ms(10));
  }
  const int sent = w.local().count() + w.cheap().count() + w.dear().count();
  CHECK(sent >= asked);
  CHECK(sent <= asked + 40 + 14);
  CHECK(told_not_to_retry == asked);
  CHECK(w.proxy.extras.extras().retries_denied > 300);
  finish(w);
}

}  // namespace sluice::script
