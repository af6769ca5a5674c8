// What waits in the box for a place in the engine, when it goes, and what is taken back from an
// engine that cannot keep its promise.
#include <doctest/doctest.h>

#include "tests/script/world.h"

namespace sluice::script {

namespace {

using meter::Outcome;

// A step of 10 ms, 1 ms a prompt token, 100 tokens a step: 110 ms when full.
const valve::StepModel kStep = {10e3, 10, 0, 1000, 100, 32, 0};

// About so many prompt tokens.
std::string long_chat(size_t tokens) {
  std::string filler;
  while (filler.size() < tokens * 4) filler += "one two three four five ";
  return "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"" +
         filler + "\"}]}";
}

struct KnownWorld : World {
  KnownWorld() : World(1, 0) {
    senses.node({0}).set_card_facts(kStep);
    proxy::BodyBounds bounds;
    bounds.body_max = {1 << 20};
    bounds.memory_per_body_max = {1 << 20};
    bodies.set_bounds(bounds);
    // The cloud is known to answer within 0.3 s.
    for (int i = 0; i < 20; ++i) {
      sense::Flight flight;
      flight.id = 1000 + static_cast<uint64_t>(i);
      flight.prompt_tokens = {1};
      for (const uint8_t node : {1, 2}) {
        senses.node({node}).reserve(flight, clock.now());
        senses.node({node}).first_token(flight.id, clock.now() + Duration::ms(300));
        senses.node({node}).end(flight.id, {}, clock.now() + Duration::ms(400));
      }
    }
    senses.learn(clock.now());
  }
  void end_all(ScriptedClient& node) {
    for (NodeCall& call : node.calls()) {
      if (!call.is_live()) continue;
      if (call.status() == 0) call.stream_head();
      call.body(token_event("a"));
      call.body(kUsageEvent);
      call.body(kDone);
      call.end();
    }
    settle();
  }
  size_t clouds() { return nodes[1].count() + nodes[2].count(); }
  void close() {
    for (ScriptedClient& node : nodes) end_all(node);
    finish();
    CHECK(violations == std::vector<std::string>{});
  }
};

}  // namespace

TEST_CASE("late binding: a short prompt waits behind a long one, and goes when it has begun") {
  KnownWorld w;
  w.ask("key-internal", long_chat(1000));  // 1.1 s of prefill, 0.5 s of which may wait there
  REQUIRE(w.local().count() == 1);
  w.ask("key-internal", long_chat(50));
  CHECK(w.local().count() == 1);
  CHECK(w.room.length() == 1);
  w.pass(Duration::ms(400));
  CHECK(w.local().count() == 1);
  CHECK(w.clouds() == 0);
  w.local().last().stream_head();
  w.local().last().body(token_event("a"));
  w.settle();
  CHECK(w.local().count() == 2);
  CHECK(w.room.length() == 0);
  w.close();
}

TEST_CASE("late binding: what would come too late behind others goes to the cloud at once") {
  KnownWorld w;
  w.ask("key-internal", long_chat(1500));
  w.ask("key-internal", long_chat(1500));
  CHECK(w.local().count() == 1);
  CHECK(w.clouds() == 1);
  CHECK(w.room.length() == 0);
  w.close();
}

TEST_CASE("late binding: at its last safe moment a request is decided, whatever its turn") {
  KnownWorld w;
  w.ask("key-internal", long_chat(1000));
  w.ask("key-internal", long_chat(300));
  w.ask("key-internal", long_chat(50));
  CHECK(w.room.length() == 2);
  w.pass(Duration::ms(1800));  // the engine stays silent: nothing tells that there is room
  CHECK(w.room.length() == 0);
  CHECK(w.local().count() + w.clouds() >= 3);
  w.close();
}

TEST_CASE("rescue: a prompt that an engine keeps silent about goes to the cloud in time") {
  KnownWorld w;
  Client& client = w.ask("key-internal", long_chat(500));
  REQUIRE(w.local().count() == 1);
  w.pass(Duration::ms(800));  // a little late: it may still come
  CHECK(w.clouds() == 0);
  NodeCall& lost = w.local().last();
  w.pass(Duration::ms(600));
  CHECK(w.clouds() == 1);
  CHECK(lost.how_it_ended() == NodeCall::End::cancelled);
  w.close();
  CHECK(client.ended);
  CHECK(client.status == 200);
  const auto outcomes = w.outcomes();
  CHECK(std::count(outcomes.begin(), outcomes.end(), Outcome::superseded) == 1);
  CHECK(std::count(outcomes.begin(), outcomes.end(), Outcome::served) == 1);
}

TEST_CASE("rescue: whoever has had a byte is never taken back") {
  KnownWorld w;
  w.ask("key-internal", long_chat(1000));
  w.local().last().stream_head();
  w.local().last().body(token_event("a"));
  w.pass(Duration::seconds(3));
  CHECK(w.clouds() == 0);
  CHECK(w.local().last().is_live());
  w.close();
}

TEST_CASE("rescue: home-only data is not rescued to anywhere") {
  KnownWorld w;
  w.ask("key-home", long_chat(1000));
  w.pass(Duration::seconds(5));
  CHECK(w.clouds() == 0);
  CHECK(w.local().count() == 1);
  w.close();
}

}  // namespace sluice::script
