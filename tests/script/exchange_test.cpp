// An exchange from its request to its answer: what the nodes do, step by step, and what the client
// must see of it.
#include <doctest/doctest.h>

#include "tests/script/world.h"

namespace sluice::script {

namespace {

using Stage = ports::HttpFailure::Stage;
using meter::Outcome;
using Outcomes = std::vector<meter::Outcome>;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

void finish(World& w) {
  w.finish();
  CHECK(w.violations == std::vector<std::string>{});
}

}  // namespace

TEST_CASE("exchange: a stream passes at once and unchanged, but for the usage that we asked for") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  REQUIRE(w.local().count() == 1);
  NodeCall& call = w.local().last();
  CHECK(call.spec.target == "/v1/chat/completions");
  CHECK(contains(call.sent_body(), "\"stream_options\":{\"include_usage\":true}"));
  CHECK(call.spec.fields.find("authorization") == nullptr);  // the client's key stays here
  call.stream_head();
  call.body(token_event("a"));
  CHECK(client.status == 200);
  CHECK(client.body == token_event("a"));
  CHECK(client.fields.get("x-sluice-node") == "here");
  CHECK(client.fields.get("content-type") == "text/event-stream");
  call.body(token_event("b"));
  call.body(kUsageEvent);
  CHECK(client.body == token_event("a") + token_event("b"));
  call.body(kDone);
  CHECK(w.outcomes() == Outcomes{});  // not read yet by check()
  w.settle();
  CHECK(w.outcomes() == Outcomes{Outcome::served});  // before the client could see the end
  call.end();
  CHECK(client.ended);
  CHECK(client.body == token_event("a") + token_event("b") + std::string(kDone));
  const auto& totals = w.meter.totals().at({"here", "m", valve::Place::local});
  CHECK(totals.in_tokens == 7);
  CHECK(totals.out_tokens == 2);
  finish(w);
}

TEST_CASE("exchange: usage that the client asked for reaches it") {
  World w;
  Client& client =
      w.ask("key-internal", chat(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
  NodeCall& call = w.local().last();
  call.stream_head();
  call.body(token_event("a"));
  call.body(kUsageEvent);
  call.body(kDone);
  call.end();
  CHECK(client.body == token_event("a") + std::string(kUsageEvent) + std::string(kDone));
  finish(w);
}

TEST_CASE("exchange: an answer in one piece keeps its bytes and its length") {
  World w;
  Client& client = w.ask("key-internal", chat());
  const std::string answer = R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}})";
  CHECK(w.local().last().sent_body() == chat());
  w.local().last().answer(200, answer);
  CHECK(client.status == 200);
  CHECK(client.body == answer);
  CHECK(client.length == answer.size());
  CHECK(w.meter.totals().at({"here", "m", valve::Place::local}).out_tokens == 9);
  finish(w);
}

TEST_CASE("exchange: an alias is the node's name there and the client's name here") {
  World w;
  Client& client = w.ask("key-internal", chat("", "alias"));
  CHECK(w.local().last().sent_body() == chat());
  w.local().last().answer(200, R"({"model":"m","choices":[]})");
  CHECK(client.body == R"({"model":"alias","choices":[]})");
  CHECK_FALSE(client.length.has_value());
  finish(w);
}

TEST_CASE("exchange: an empty answer is an empty answer") {
  World w;
  Client& client = w.ask("key-internal", chat());
  w.local().last().answer(200, "");
  CHECK(client.ended);
  CHECK(client.status == 200);
  CHECK(client.body.empty());
  finish(w);
}

TEST_CASE("exchange: a candidate that fails before the first byte is followed by the next") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.local().last().fail(Stage::connect);
  CHECK(w.cheap().count() == 0);  // not inside the failed call's own callback
  w.settle();
  REQUIRE(w.cheap().count() == 1);
  CHECK(w.cheap().last().spec.target == "/v1/chat/completions");
  CHECK(w.cheap().last().spec.fields.get("authorization") == "Bearer ours");
  CHECK(client.status == 0);
  w.cheap().last().stream_head();
  w.cheap().last().body(token_event("a"));
  CHECK(client.fields.get("x-sluice-node") == "cheap");
  w.cheap().last().body(kDone);
  w.cheap().last().end();
  CHECK(client.body == token_event("a") + std::string(kDone));
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::failed, Outcome::served});
}

TEST_CASE("exchange: a head without a body byte does not bind it to that candidate") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.local().last().stream_head();
  w.local().last().fail(Stage::in_body);
  w.settle();
  CHECK(client.status == 0);
  REQUIRE(w.cheap().count() == 1);
  w.cheap().last().answer(200, std::string(kDone), "text/event-stream");
  CHECK(client.body == kDone);
  finish(w);
}

TEST_CASE("exchange: no retry after the first byte") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.local().last().stream_head();
  w.local().last().body(token_event("a"));
  w.local().last().fail(Stage::in_body);
  w.settle();
  CHECK(w.cheap().count() + w.dear().count() == 0);
  CHECK(client.was_cut);
  CHECK(client.body.starts_with(token_event("a")));
  CHECK(contains(client.body, "data: {\"error\":{\"message\":\"the node \\\"here\\\" failed"));
  CHECK_FALSE(contains(client.body, "[DONE]"));
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::cut});
}

TEST_CASE("exchange: the error event stands by itself when an event broke off") {
  World w;
  Client& client =
      w.ask("key-internal", chat(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
  w.local().last().stream_head();
  w.local().last().body("data: {\"cho");
  w.local().last().fail(Stage::in_body);
  w.settle();
  CHECK(client.body.starts_with("data: {\"cho\n\ndata: {\"error\":"));
  CHECK(client.was_cut);
  finish(w);
}

TEST_CASE("exchange: an answer in one piece that breaks off is cut, with nothing added") {
  World w;
  Client& client = w.ask("key-internal", chat());
  w.local().last().head(200, {{"content-type", "application/json"}, {"content-length", "50"}});
  w.local().last().body("{\"choices\":");
  w.local().last().fail(Stage::in_body);
  w.settle();
  CHECK(client.was_cut);
  CHECK(client.body == "{\"choices\":");
  finish(w);
}

TEST_CASE("exchange: a stream that ends without its end mark is not a clean end") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.local().last().stream_head();
  w.local().last().body(token_event("a"));
  w.local().last().end();
  w.settle();
  CHECK(client.was_cut);
  CHECK(contains(client.body, "\"stream_truncated\""));
  CHECK(w.cheap().count() == 0);
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::cut});
}

TEST_CASE("exchange: a stream that ends before its first byte goes to the next candidate") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.local().last().stream_head();
  w.local().last().end();
  w.settle();
  REQUIRE(w.cheap().count() == 1);
  w.cheap().last().answer(200, std::string(kDone), "text/event-stream");
  CHECK(client.ended);
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::failed, Outcome::served});
}

TEST_CASE("exchange: a stream that begins with an error goes to the next candidate") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.local().last().stream_head();
  w.local().last().body("data: {\"error\":{\"message\":\"out of memory\"}}\n\n");
  w.settle();
  CHECK(client.body.empty());
  REQUIRE(w.cheap().count() == 1);
  w.cheap().last().answer(200, token_event("a") + std::string(kDone), "text/event-stream");
  CHECK(client.ended);
  CHECK_FALSE(contains(client.body, "out of memory"));
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::failed, Outcome::served});
}

TEST_CASE("exchange: an error told in the middle of a stream is passed on and is no service") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.local().last().stream_head();
  w.local().last().body(token_event("a"));
  w.local().last().body("data: {\"error\":{\"message\":\"out of memory\"}}\n\n");
  w.local().last().body(kDone);
  w.local().last().end();
  w.settle();
  CHECK(contains(client.body, "out of memory"));
  CHECK(w.cheap().count() == 0);
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::cut});
}

TEST_CASE("exchange: an error that the node told is not told a second time, and is no clean end") {
  const std::string told = token_event("a") + "data: {\"error\":{\"message\":\"died\"}}\n\n";
  for (const bool breaks : {false, true}) {
    World w;
    Client& client = w.ask("key-internal", kStream);
    w.local().last().stream_head();
    w.local().last().body(token_event("a"));
    w.local().last().body(told.substr(token_event("a").size()));
    if (breaks) w.local().last().fail(Stage::in_body);
    if (!breaks) w.local().last().end();
    w.settle();
    CHECK(client.body == told);
    CHECK(client.was_cut == breaks);
    finish(w);
    CHECK(w.outcomes() == Outcomes{Outcome::cut});
  }
}

TEST_CASE("exchange: all was said when the end mark came, however the connection ends") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.local().last().stream_head();
  w.local().last().body(token_event("a") + std::string(kDone));
  w.local().last().fail(Stage::in_body);
  CHECK(client.ended);
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::served});
}

TEST_CASE("exchange: a reused connection that was stale is tried anew on the same node, once") {
  World w;
  Client& client = w.ask("key-internal", chat());
  CHECK_FALSE(w.local().last().spec.fresh_connection);
  w.local().last().fail(Stage::before_head, true);
  w.settle();
  REQUIRE(w.local().count() == 2);
  CHECK(w.local().last().spec.fresh_connection);
  w.local().last().fail(Stage::before_head, false);
  w.settle();
  CHECK(w.local().count() == 2);
  REQUIRE(w.cheap().count() == 1);
  w.cheap().last().answer(200, "{}");
  CHECK(client.ended);
  finish(w);
}

TEST_CASE("exchange: a stale connection says nothing against the node") {
  World w;
  for (int i = 0; i < 10; ++i) {
    w.ask("key-internal", chat());
    w.local().last().fail(Stage::before_head, true);
    w.settle();
    w.local().last().answer(200, "{}");
    w.settle();
  }
  CHECK(w.local().count() == 20);
  CHECK(w.cheap().count() == 0);
  finish(w);
}

TEST_CASE("exchange: a node that asks to wait is left for another, and left alone that long") {
  for (const int status : {429, 503}) {
    World w;
    Client& client = w.ask("key-internal", chat());
    w.local().last().head(status, {{"retry-after", "7"}});
    w.local().last().end();
    w.settle();
    REQUIRE(w.cheap().count() == 1);
    w.cheap().last().answer(200, "{}");
    CHECK(client.status == 200);
    w.pass(Duration::ms(6900));
    w.ask("key-internal", chat());
    CHECK(w.local().count() == 1);
    w.cheap().last().answer(200, "{}");
    w.pass(Duration::ms(200));
    w.ask("key-internal", chat());
    CHECK(w.local().count() == 2);
    w.local().last().answer(200, "{}");
    finish(w);
    CHECK(w.outcomes().front() == Outcome::busy);
  }
}

TEST_CASE("exchange: if every node asks to wait the client hears the last one, with its wait") {
  World w;
  Client& client = w.ask("key-internal", chat());
  for (ScriptedClient* node : {&w.local(), &w.cheap(), &w.dear()}) {
    REQUIRE(node->count() == 1);
    node->last().head(429, {{"retry-after", "3"}, {"content-type", "application/json"}});
    node->last().body("{\"error\":{\"message\":\"slow down\"}}");
    node->last().end();
    w.settle();
  }
  CHECK(client.status == 429);
  CHECK(client.fields.get("retry-after") == "3");
  CHECK(client.fields.get("x-should-retry") == "false");  // the box has tried already
  CHECK(contains(client.body, "slow down"));
  finish(w);
}

TEST_CASE("exchange: the node's own 400 passes as it is and is not tried elsewhere") {
  World w;
  Client& client = w.ask("key-internal", chat());
  const std::string error = R"({"error":{"message":"bad temperature"}})";
  w.local().last().answer(400, error);
  w.settle();
  CHECK(client.status == 400);
  CHECK(client.body == error);
  CHECK(client.fields.get("content-type") == "application/json");
  CHECK(client.fields.get("x-request-id").starts_with("req-"));
  CHECK(w.cheap().count() == 0);
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::refused});
}

TEST_CASE("exchange: a node that refuses our credential is never shown as the client's fault") {
  for (const int status : {401, 403}) {
    World w;
    Client& client = w.ask("key-internal", chat());
    for (ScriptedClient* node : {&w.local(), &w.cheap(), &w.dear()}) {
      REQUIRE(node->count() == 1);
      node->last().answer(status, R"({"error":{"message":"Incorrect API key sk-ours"}})");
      w.settle();
    }
    CHECK(client.status == 502);
    CHECK_FALSE(contains(client.body, "sk-ours"));
    CHECK(client.fields.find("www-authenticate") == nullptr);
    finish(w);
  }
}

TEST_CASE("exchange: a node that was not made for a request is left for another, but is well") {
  World w;
  for (int i = 0; i < 20; ++i) {
    Client& client = w.ask("key-internal", chat());
    REQUIRE(w.local().count() == i + 1);  // its breaker stays shut
    w.local().last().answer(501, R"({"error":{"message":"no embeddings here"}})");
    w.settle();
    w.cheap().last().answer(200, "{}");
    CHECK(client.status == 200);
  }
  finish(w);
  CHECK(w.outcomes().front() == Outcome::refused);
}

TEST_CASE("exchange: a node's failure is tried elsewhere, each node once, and then told") {
  World w;
  Client& client = w.ask("key-internal", chat());
  w.local().last().answer(500, "oops", "text/plain");
  w.settle();
  w.cheap().last().fail(Stage::before_head, false, true);
  w.settle();
  w.dear().last().fail(Stage::connect);
  w.settle();
  CHECK(client.status == 502);
  CHECK(contains(client.body, "\"node_failed\""));
  CHECK(client.fields.get("x-should-retry") == "false");
  CHECK(w.local().count() + w.cheap().count() + w.dear().count() == 3);
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::failed, Outcome::timed_out, Outcome::failed});
}

TEST_CASE("exchange: the time that an earlier candidate used up is not given again") {
  World w;
  Client& client = w.ask("key-internal", chat(), {{"x-sluice-deadline-ms", "10000"}});
  CHECK(w.local().last().spec.timeouts.first_byte == Duration::seconds(10));
  w.pass(Duration::seconds(8));
  w.local().last().fail(Stage::before_head);
  w.settle();
  REQUIRE(w.cheap().count() == 1);
  CHECK(w.cheap().last().spec.timeouts.first_byte == Duration::seconds(2));
  w.pass(Duration::seconds(2));
  w.cheap().last().fail(Stage::before_head, false, true);
  w.settle();
  CHECK(w.dear().count() == 0);  // past the deadline nobody else is asked
  CHECK(client.status == 504);
  finish(w);
}

TEST_CASE("exchange: a full client pauses the node, and a drained one lets it go on") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  NodeCall& call = w.local().last();
  call.stream_head();
  client.backlog = ports::kAnswerBacklogHigh;
  call.body(token_event("a"));
  CHECK_FALSE(call.paused);
  client.backlog = ports::kAnswerBacklogHigh + 1;
  call.body(token_event("b"));
  CHECK(call.paused);
  client.drain();
  CHECK_FALSE(call.paused);
  call.body(kDone);
  call.end();
  finish(w);
}

TEST_CASE("exchange: home-only data never leaves, whatever becomes of the local node") {
  World w;
  for (int i = 0; i < 8; ++i) {
    Client& client = w.ask("key-home", kStream);
    if (w.local().count() > 0 && w.local().last().is_live()) {
      w.local().last().fail(Stage::connect);
      w.settle();
      CHECK(client.status == 502);
    }
    w.pass(Duration::ms(10));
  }
  w.pass(Duration::seconds(120));
  for (NodeCall& call : w.local().calls()) {
    if (call.is_live()) call.fail(Stage::before_head);
  }
  w.pass(Duration::seconds(120));
  CHECK(w.cheap().count() == 0);
  CHECK(w.dear().count() == 0);
  finish(w);
}

TEST_CASE("exchange: a field that says home-only keeps it home as a key does") {
  World w;
  Client& client = w.ask("key-internal", chat(), {{"x-sluice-data-class", "home-only"}});
  w.local().last().answer(500, "{}");
  w.settle();
  CHECK(client.status == 500);
  CHECK(w.cheap().count() + w.dear().count() == 0);
  finish(w);
}

TEST_CASE("exchange: a node forbidden between the plan and the socket is not asked") {
  World w;
  Client& client = w.ask("key-internal", chat());
  w.proxy.nodes[valve::NodeId{1}].data.accepts_internal = false;
  w.local().last().fail(Stage::connect);
  w.settle();
  CHECK(w.cheap().count() == 0);
  REQUIRE(w.dear().count() == 1);
  w.dear().last().answer(200, "{}");
  CHECK(client.status == 200);
  finish(w);
}

}  // namespace sluice::script
