// How exchanges end otherwise than by an answer: refusals, waiting, limits, and clients that leave.
#include <doctest/doctest.h>

#include "firmware/proxy/kept_body.h"
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

constexpr uint64_t kSeed = 1;
constexpr int kOneSlot = 1;

}  // namespace

TEST_CASE("exchange: a client that leaves while its request is sent cancels it at once") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  NodeCall& call = w.local().last();
  client.leave();
  CHECK(call.how_it_ended() == NodeCall::End::cancelled);
  w.settle();
  CHECK(w.outcomes() == Outcomes{Outcome::client_gone});
  CHECK(w.cheap().count() == 0);
  finish(w);
}

TEST_CASE("exchange: a client that leaves while the answer passes cancels it at once") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  NodeCall& call = w.local().last();
  call.stream_head();
  call.body(token_event("a"));
  client.leave();
  CHECK(call.how_it_ended() == NodeCall::End::cancelled);
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::client_gone});
  CHECK(w.meter.totals().at({"here", "m", valve::Place::local}).out_tokens == 1);
}

TEST_CASE("exchange: a client that leaves after the end mark was served") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  NodeCall& call = w.local().last();
  call.stream_head();
  call.body(token_event("a") + std::string(kDone));
  client.leave();
  CHECK(call.how_it_ended() == NodeCall::End::cancelled);
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::served});
}

TEST_CASE("exchange: a client that leaves between two candidates starts none") {
  World w;
  Client& client = w.ask("key-internal", chat());
  w.local().last().fail(Stage::connect);
  client.leave();
  w.settle();
  CHECK(w.cheap().count() == 0);
  finish(w);
  CHECK(w.outcomes() == Outcomes{Outcome::failed});
}

TEST_CASE("exchange: a client that leaves before its body has come has cost nothing") {
  World w;
  Client& client = w.open("key-internal");
  client.send("{\"mod");
  client.leave();
  CHECK(w.files.appended.find("\nS ") == std::string::npos);
  finish(w);
}

TEST_CASE("exchange: a request that must stay waits for a place and goes when a flight ends") {
  World w(kSeed, kOneSlot);
  Client& first = w.ask("key-home", chat());
  Client& second = w.ask("key-home", chat());
  CHECK(w.local().count() == 1);
  CHECK(w.room.length() == 1);
  w.pass(Duration::seconds(10));
  w.local().last().answer(200, "{}");
  CHECK(first.ended);
  w.settle();
  CHECK(w.room.length() == 0);
  REQUIRE(w.local().count() == 2);
  w.local().last().answer(200, "{}");
  CHECK(second.ended);
  finish(w);
}

TEST_CASE("exchange: a client that leaves while held gives its place in the queue back") {
  World w(kSeed, kOneSlot);
  w.ask("key-home", chat());
  Client& second = w.ask("key-home", chat());
  second.leave();
  CHECK(w.room.length() == 0);
  w.local().last().answer(200, "{}");
  w.settle();
  CHECK(w.local().count() == 1);
  finish(w);
}

TEST_CASE("exchange: who has waited too long for a place hears 503 at that moment") {
  World w(kSeed, kOneSlot);
  w.ask("key-home", chat());
  Client& second = w.ask("key-home", chat());
  const Instant start = w.clock.now();
  w.pass(Duration::seconds(60) - Duration::us(1));
  CHECK_FALSE(second.is_over());
  w.pass(Duration::us(1));
  CHECK(second.status == 503);
  CHECK(second.over_at == start + Duration::seconds(60));
  CHECK(contains(second.body, "\"queue_timeout\""));
  CHECK(second.fields.get("retry-after") == "5");
  w.local().last().answer(200, "{}");
  finish(w);
}

TEST_CASE("exchange: the time in the queue begins when the request is whole") {
  World w(kSeed, kOneSlot);
  w.ask("key-home", chat());
  Client& slow = w.open("key-home");
  w.pass(Duration::seconds(70));
  slow.send(chat());
  slow.send_end();
  w.settle();
  CHECK(w.room.length() == 1);
  w.pass(Duration::seconds(30));
  w.local().last().answer(200, "{}");
  w.settle();
  w.local().last().answer(200, "{}");
  CHECK(slow.status == 200);
  finish(w);
}

TEST_CASE("exchange: whose deadline comes before a place is free hears 504 then") {
  World w(kSeed, kOneSlot);
  w.ask("key-home", chat());
  Client& second = w.ask("key-home", chat(), {{"x-sluice-deadline-ms", "1500"}});
  const Instant start = w.clock.now();
  w.pass(Duration::seconds(2));
  CHECK(second.status == 504);
  CHECK(second.over_at == start + Duration::ms(1500));
  CHECK(contains(second.body, "\"deadline_exceeded\""));
  w.local().last().answer(200, "{}");
  finish(w);
}

TEST_CASE("exchange: a body that comes after the deadline is 504 and never sent") {
  World w;
  Client& client = w.open("key-internal", {{"x-sluice-deadline-ms", "100"}});
  w.pass(Duration::ms(100));
  client.send(chat());
  client.send_end();
  w.settle();
  CHECK(client.status == 504);
  CHECK(w.local().count() == 0);
  finish(w);
}

TEST_CASE("exchange: a full queue is 503 at once") {
  World w(kSeed, kOneSlot);
  w.ask("key-home", chat());
  for (size_t i = 0; i < World::kQueueMax; ++i) w.ask("key-home", chat());
  Client& last = w.ask("key-home", chat());
  CHECK(last.status == 503);
  CHECK(contains(last.body, "\"queue_full\""));
  CHECK(w.room.length() == World::kQueueMax);
  for (size_t i = 0; i <= World::kQueueMax; ++i) {
    w.local().last().answer(200, "{}");
    w.settle();
  }
  CHECK(w.local().count() == 1 + World::kQueueMax);
  finish(w);
}

TEST_CASE("exchange: a stream that waits hears a comment every 15 s, and then an error event") {
  World w(kSeed, kOneSlot);
  w.ask("key-home", chat());
  Client& stream = w.ask("key-home", kStream);
  w.pass(Duration::seconds(15) - Duration::us(1));
  CHECK(stream.status == 0);
  w.pass(Duration::us(1));
  CHECK(stream.status == 200);
  CHECK(stream.fields.get("content-type") == "text/event-stream; charset=utf-8");
  CHECK(stream.body == ": waiting\n\n");
  w.pass(Duration::seconds(30));
  CHECK(stream.body == ": waiting\n\n: waiting\n\n: waiting\n\n");
  w.pass(Duration::seconds(15));
  CHECK(stream.was_cut);
  CHECK(contains(stream.body, "data: {\"error\":"));
  CHECK(contains(stream.body, "\"queue_timeout\""));
  CHECK_FALSE(contains(stream.body, "[DONE]"));
  w.local().last().answer(200, "{}");
  finish(w);
}

TEST_CASE("exchange: a comment commits the status, not the answer: the next candidate may serve") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.pass(Duration::seconds(15));
  CHECK(client.body == ": waiting\n\n");
  w.local().last().fail(Stage::before_head, false, true);
  w.settle();
  REQUIRE(w.cheap().count() == 1);
  w.cheap().last().answer(200, token_event("a") + std::string(kDone), "text/event-stream");
  CHECK(client.ended);
  CHECK(client.body == ": waiting\n\n" + token_event("a") + std::string(kDone));
  finish(w);
}

TEST_CASE("exchange: after a comment a node's refusal is told as an event") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.pass(Duration::seconds(15));
  w.local().last().answer(400, R"({"error":{"message":"no"}})");
  w.settle();
  CHECK(client.status == 200);
  CHECK(client.was_cut);
  CHECK(contains(client.body, "data: {\"error\":"));
  finish(w);
}

TEST_CASE("exchange: after a comment an answer in one piece is not put into the stream") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.pass(Duration::seconds(15));
  w.local().last().answer(200, R"({"choices":[]})");
  w.settle();
  CHECK(client.was_cut);
  CHECK(client.body.starts_with(": waiting\n\ndata: {\"error\":"));
  CHECK(contains(client.body, "\"not_a_stream\""));
  finish(w);
}

TEST_CASE("exchange: no comment stands among the bytes of an answer") {
  World w;
  Client& client = w.ask("key-internal", kStream);
  w.local().last().stream_head();
  w.local().last().body(token_event("a"));
  w.pass(Duration::seconds(100));
  CHECK(client.body == token_event("a"));
  w.local().last().body(kDone);
  w.local().last().end();
  finish(w);
}

TEST_CASE("exchange: a body declared too large is 413 before it is read") {
  World w;
  Client& client = w.open("key-internal", {}, 4097);
  CHECK(client.status == 413);
  CHECK(client.ended);
  w.settle();
  finish(w);
}

TEST_CASE("exchange: a body that grows too large is 413 at that byte") {
  World w;
  Client& client = w.open("key-internal");
  client.send(std::string(4096, ' '));
  CHECK_FALSE(client.is_over());
  client.send(" ");
  CHECK(client.status == 413);
  w.settle();
  finish(w);
}

TEST_CASE("exchange: bodies are bounded in all, and make room when their exchange ends") {
  World w;
  proxy::BodyBounds bounds = w.bodies.bounds();
  bounds.total_max = {static_cast<int64_t>(chat().size()) - 1};
  w.bodies.set_bounds(bounds);
  Client& late = w.ask("key-internal", chat());
  CHECK(late.status == 503);
  CHECK(contains(late.body, "\"too_many_bodies\""));
  CHECK(w.local().count() == 0);
  w.settle();
  CHECK(w.bodies.kept().count == 0);
  bounds.total_max.count += 1;
  w.bodies.set_bounds(bounds);
  Client& client = w.ask("key-internal", chat());
  CHECK(w.bodies.kept().count == bounds.total_max.count);
  w.local().last().answer(200, "{}");
  CHECK(client.status == 200);
  w.settle();
  finish(w);
}

TEST_CASE("exchange: one key's bodies are bounded, and leave room to the others") {
  World w;
  proxy::BodyBounds bounds = w.bodies.bounds();
  bounds.per_key_max = {static_cast<int64_t>(chat().size()) + 1};
  w.bodies.set_bounds(bounds);
  w.ask("key-internal", chat());
  Client& second = w.ask("key-internal", chat());
  CHECK(second.status == 429);
  CHECK(second.fields.find("retry-after") != nullptr);
  Client& other = w.ask("key-home", chat());
  CHECK(other.status == 0);
  for (auto& call : w.local().calls()) call.answer(200, "{}");
  w.settle();
  finish(w);
}

TEST_CASE("exchange: a large body waits on disk until an answer's first byte, and is sent whole") {
  World w;
  const std::string body = chat(",\"user\":\"" + std::string(2000, 'u') + "\"");
  Client& client = w.open("key-internal", {}, body.size());
  for (size_t at = 0; at < body.size(); at += 100) client.send(body.substr(at, 100));
  CHECK(w.scratch.open == 1);
  CHECK(w.bodies.in_memory().count == 0);
  client.send_end();
  REQUIRE(w.local().count() == 1);
  CHECK(w.local().last().sent_body() == body);
  w.local().last().fail(ports::HttpFailure::Stage::before_head);
  w.settle();
  REQUIRE(w.cheap().count() == 1);
  CHECK(w.cheap().last().sent_body() == body);
  w.local().last().spec.body.reset();
  w.cheap().last().spec.body.reset();  // sent
  CHECK(w.scratch.open == 1);
  w.cheap().last().head(200, {{"content-type", "application/json"}});
  w.cheap().last().body("{");
  CHECK(w.scratch.open == 0);
  CHECK(w.bodies.kept().count == 0);
  w.cheap().last().body("}");
  w.cheap().last().end();
  CHECK(client.body == "{}");
  w.settle();
  finish(w);
}

TEST_CASE("exchange: a large body that is no JSON is refused at the byte that shows it") {
  World w;
  Client& client = w.open("key-internal", {}, 4000);
  client.send("{\"model\":\"m\",\"model\":\"x\"," + std::string(500, ' '));
  CHECK_FALSE(client.is_over());
  client.send(std::string(1000, ' '));
  CHECK(client.status == 400);
  CHECK(contains(client.body, "duplicate key"));
  w.settle();
  CHECK(w.scratch.open == 0);
  finish(w);
}

TEST_CASE("exchange: a full disk is told, and nothing of the body stays") {
  World w;
  constexpr size_t kGathered = proxy::KeptBody::kGatherMax;
  proxy::BodyBounds bounds = w.bodies.bounds();
  bounds.body_max = {static_cast<int64_t>(4 * kGathered)};
  w.bodies.set_bounds(bounds);
  w.scratch.room = 1500;
  Client& client = w.open("key-internal", {}, 2 * kGathered);
  client.send("{\"user\":\"" + std::string(1400, 'u'));
  CHECK_FALSE(client.is_over());
  client.send(std::string(kGathered, 'u'));
  CHECK(client.status == 503);
  w.settle();
  CHECK(w.scratch.open == 0);
  CHECK(w.scratch.room == 1500);
  finish(w);
}

TEST_CASE("exchange: an unknown model is 404, a body that is no request 400") {
  World w;
  CHECK(w.ask("key-internal", chat("", "unheard")).status == 404);
  CHECK(w.ask("key-internal", "[]").status == 400);
  CHECK(w.ask("key-internal", "{\"model\":\"m\"}").status == 400);
  CHECK(w.ask("wrong key", chat()).status == 401);
  CHECK(w.local().count() == 0);
  finish(w);
}

TEST_CASE("exchange: a key beyond its requests per minute is 429 with the time to wait") {
  World w;
  w.keys.keys["key-internal"].requests_per_minute = 2;
  for (int i = 0; i < 2; ++i) {
    w.ask("key-internal", chat());
    w.local().last().answer(200, "{}");
  }
  Client& third = w.ask("key-internal", chat());
  CHECK(third.status == 429);
  CHECK(third.fields.get("retry-after") == "30");
  w.pass(Duration::seconds(30));
  Client& later = w.ask("key-internal", chat());
  w.local().last().answer(200, "{}");
  CHECK(later.status == 200);
  finish(w);
}

TEST_CASE("exchange: tokens are taken by estimate and corrected by what was used") {
  World w;
  w.keys.keys["key-internal"].tokens_per_minute = 1000;
  const std::string greedy = chat(",\"max_tokens\":900");
  Client& first = w.ask("key-internal", greedy);
  CHECK(w.ask("key-internal", greedy).status == 429);
  w.local().last().answer(200, R"({"usage":{"prompt_tokens":5,"completion_tokens":10}})");
  CHECK(first.status == 200);
  Client& third = w.ask("key-internal", greedy);
  CHECK(third.status == 0);
  third.leave();
  finish(w);
}

TEST_CASE("exchange: a body that is slow to come does not set the key's token bucket back") {
  World w;
  w.keys.keys["key-internal"].tokens_per_minute = 600;
  Client& slow = w.open("key-internal");
  w.pass(Duration::seconds(30));
  Client& quick = w.ask("key-internal", chat(",\"max_tokens\":580"));
  CHECK(quick.status == 0);
  w.pass(Duration::seconds(30));
  slow.send(chat(",\"max_tokens\":280"));
  slow.send_end();
  w.settle();
  CHECK(slow.status == 0);  // 300 tokens have come back since
  for (NodeCall& call : w.local().calls()) call.answer(200, "{}");
  finish(w);
}

TEST_CASE("exchange: a key beyond its requests at a time is 429 until one of them ends") {
  World w;
  w.keys.keys["key-internal"].concurrency = 1;
  w.ask("key-internal", chat());
  Client& second = w.ask("key-internal", chat());
  CHECK(second.status == 429);
  CHECK(second.fields.get("retry-after") == "1");
  w.local().last().answer(200, "{}");
  Client& third = w.ask("key-internal", chat());
  w.local().last().answer(200, "{}");
  CHECK(third.status == 200);
  finish(w);
}

}  // namespace sluice::script
