// Endpoints beside chat: what passes through, how each dialect's stream ends and fails.
#include <doctest/doctest.h>

#include "tests/script/world.h"

namespace sluice::script {

namespace {

constexpr std::string_view kResponseStream =
    R"({"model":"m","input":"hi","stream":true,"max_output_tokens":9})";
constexpr std::string_view kCreated =
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\","
    "\"model\":\"m\"}}\n\n";
constexpr std::string_view kDelta =
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":"
    "\"a\"}\n\n";
constexpr std::string_view kCompleted =
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":"
    "\"resp_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n";

constexpr std::string_view kMessageStream =
    R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true})";
constexpr std::string_view kMessageStart =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
    "\"model\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n";
constexpr std::string_view kMessageStop =
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

void check_over(World& world) {
  world.settle();
  world.finish();
  CHECK(world.violations == std::vector<std::string>{});
}

}  // namespace

TEST_CASE("endpoints: a response's stream passes unchanged and ends with its last event") {
  World world;
  Client& client = world.ask_at("/v1/responses", kResponseStream);
  NodeCall& call = world.local().last();
  CHECK(call.spec.target == "/v1/responses");
  CHECK(call.sent_body() == kResponseStream);
  call.stream_head();
  for (const std::string_view event : {kCreated, kDelta, kCompleted}) call.body(event);
  call.end();
  check_over(world);
  CHECK(client.ended);
  CHECK(client.body == std::string(kCreated) + std::string(kDelta) + std::string(kCompleted));
  CHECK(world.outcomes() == std::vector{meter::Outcome::served});
}

TEST_CASE("endpoints: a response's stream that breaks off becomes an error event and a cut") {
  World world;
  Client& client = world.ask_at("/v1/responses", kResponseStream);
  NodeCall& call = world.local().last();
  call.stream_head();
  call.body(kCreated);
  call.body(kDelta);
  call.end();
  check_over(world);
  CHECK(client.was_cut);
  CHECK(client.body.find("event: error\ndata: {\"type\":\"error\",\"sequence_number\":2,") !=
        std::string::npos);
  CHECK(client.body.find("stream_truncated") != std::string::npos);
  CHECK(world.outcomes() == std::vector{meter::Outcome::cut});
}

TEST_CASE("endpoints: messages pass through with their version, and keys in x-api-key") {
  World world;
  Client& client =
      world.ask_at("/v1/messages", kMessageStream, "",
                   {{"x-api-key", "key-internal"}, {"anthropic-version", "2023-06-01"}});
  NodeCall& call = world.local().last();
  CHECK(call.spec.target == "/v1/messages");
  CHECK(call.spec.fields.get("anthropic-version") == "2023-06-01");
  CHECK(call.spec.fields.find("x-api-key") == nullptr);
  CHECK(call.sent_body() == kMessageStream);
  call.stream_head();
  call.body(kMessageStart);
  call.body(kMessageStop);
  call.end();
  check_over(world);
  CHECK(client.ended);
  CHECK(client.body == std::string(kMessageStart) + std::string(kMessageStop));
  CHECK(world.billed().back().in.count == 3);
  CHECK(world.billed().back().out.count == 1);
  CHECK(client.fields.get("request-id") == client.request_id());
  CHECK(world.outcomes() == std::vector{meter::Outcome::served});
}

TEST_CASE("endpoints: the client's query reaches the node that speaks the endpoint") {
  World world;
  world.ask_at("/v1/messages?beta=true&api_key=key-internal", kMessageStream);
  NodeCall& call = world.local().last();
  CHECK(call.spec.target == "/v1/messages?beta=true");
  call.stream_head();
  call.body(kMessageStart);
  call.body(kMessageStop);
  call.end();
  check_over(world);
}

TEST_CASE("endpoints: messages that break off end with an error in Anthropic's shape") {
  World world;
  Client& client = world.ask_at("/v1/messages", kMessageStream);
  NodeCall& call = world.local().last();
  call.stream_head();
  call.body(kMessageStart);
  call.fail(ports::HttpFailure::Stage::in_body);
  check_over(world);
  CHECK(client.was_cut);
  CHECK(client.body.find("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                         "\"api_error\"") != std::string::npos);
}

TEST_CASE("endpoints: refusals of messages have Anthropic's shape; no node is 529") {
  World world;
  Client& bad = world.ask_at("/v1/messages", R"({"model":"m"})");
  CHECK(bad.status == 400);
  CHECK(bad.body.starts_with(R"({"type":"error","error":{"type":"invalid_request_error")"));
  Client& client = world.ask_at("/v1/messages", kMessageStream, "key-home");
  world.local().last().fail(ports::HttpFailure::Stage::connect);
  world.settle();
  CHECK(client.status == 502);
  CHECK(client.body.find("\"api_error\"") != std::string::npos);
  check_over(world);
}

TEST_CASE("endpoints: a stream that begins with an error goes to the next node") {
  World world;
  Client& client = world.ask_at("/v1/responses", kResponseStream);
  world.local().last().stream_head();
  world.local().last().body("event: error\ndata: {\"type\":\"error\",\"message\":\"busy\"}\n\n");
  world.settle();
  REQUIRE(world.cheap().count() == 1);
  CHECK(client.status == 0);
  NodeCall& second = world.cheap().last();
  second.stream_head();
  second.body(kCreated);
  second.body(kCompleted);
  second.end();
  check_over(world);
  CHECK(client.ended);
}

TEST_CASE("endpoints: rerank and speech pass whole, and a transfer's end is their end") {
  World world;
  Client& rerank = world.ask_at("/v1/rerank", R"({"model":"m","query":"q","documents":["a","b"]})");
  world.local().last().answer(200, R"({"results":[],"usage":{"total_tokens":4}})");
  world.settle();
  CHECK(rerank.ended);
  CHECK(rerank.body == R"({"results":[],"usage":{"total_tokens":4}})");
  Client& speech = world.ask_at("/v1/audio/speech", R"({"model":"m","input":"hi","voice":"a"})");
  const std::string audio("ID3\0\xff\xfb", 6);
  world.local().last().answer(200, audio, "audio/mpeg");
  check_over(world);
  CHECK(speech.body == audio);
  CHECK(speech.fields.get("content-type") == "audio/mpeg");
}

TEST_CASE("endpoints: counting tokens costs nothing") {
  World world;
  world.proxy.nodes.erase(valve::NodeId{0});
  world.ask_at("/v1/messages/count_tokens",
               R"({"model":"m","messages":[{"role":"user","content":"hello"}]})");
  world.cheap().last().answer(200, R"({"input_tokens":14})");
  check_over(world);
  REQUIRE(world.billed().size() == 1);
  CHECK(world.billed()[0].in.count == 0);
  CHECK(world.billed()[0].out.count == 0);
  CHECK(world.files.appended.find("messages.count_tokens") != std::string::npos);
}

namespace {

// Its local node speaks chat completions only.
struct Chatty {
  Chatty() {
    for (auto& [node, access] : world.proxy.nodes) {
      access.speaks.remove(upstream::Endpoint::messages);
    }
  }
  World world;
};

}  // namespace

TEST_CASE("endpoints: messages are translated for a node that speaks chat only") {
  Chatty chatty;
  World& world = chatty.world;
  Client& client = world.ask_at("/v1/messages?beta=true", kMessageStream);
  NodeCall& call = world.local().last();
  CHECK(call.spec.target == "/v1/chat/completions");  // the query is none of its own
  CHECK(call.sent_body() ==
        R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":9,"stream":true,)"
        R"("stream_options":{"include_usage":true}})");
  call.stream_head();
  call.body(token_event("Hel"));
  call.body(token_event("lo"));
  call.body(kUsageEvent);
  call.body(kDone);
  call.end();
  check_over(world);
  CHECK(client.ended);
  CHECK(client.fields.get("content-type") == "text/event-stream");
  CHECK(
      client.body.starts_with("event: message_start\ndata: {\"type\":\"message_start\","
                              "\"message\":{\"id\":\"msg_"));
  CHECK(client.body.find(R"({"type":"text_delta","text":"lo"})") != std::string::npos);
  CHECK(client.body.find(R"("usage":{"input_tokens":7,)") != std::string::npos);
  CHECK(client.body.ends_with(kMessageStop));
  CHECK(world.outcomes() == std::vector{meter::Outcome::served});
}

TEST_CASE("endpoints: a whole answer is translated, under the name that the client asked for") {
  Chatty chatty;
  World& world = chatty.world;
  Client& client = world.ask_at(
      "/v1/messages",
      R"({"model":"alias","max_tokens":9,"messages":[{"role":"user","content":"a"}]})");
  NodeCall& call = world.local().last();
  CHECK(call.sent_body().starts_with(R"({"model":"m",)"));
  call.answer(200,
              R"({"model":"m","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],)"
              R"("usage":{"prompt_tokens":7,"completion_tokens":2}})");
  check_over(world);
  CHECK(client.ended);
  CHECK(client.body.find(R"("model":"alias","content":[{"type":"text","text":"Hi"}])") !=
        std::string::npos);
  CHECK(world.outcomes() == std::vector{meter::Outcome::served});
}

TEST_CASE("endpoints: a translated stream that breaks off is no message that stopped") {
  Chatty chatty;
  Client& client = chatty.world.ask_at("/v1/messages", kMessageStream);
  NodeCall& call = chatty.world.local().last();
  call.stream_head();
  call.body(token_event("Hel"));
  call.end();
  check_over(chatty.world);
  CHECK(client.was_cut);
  CHECK(client.body.find("message_stop") == std::string::npos);
  CHECK(client.body.find("event: error\ndata: {\"type\":\"error\"") != std::string::npos);
}

TEST_CASE("endpoints: an answer that is none of chat is another node's turn") {
  Chatty chatty;
  World& world = chatty.world;
  Client& client = world.ask_at("/v1/messages", kMessageStream);
  world.local().last().answer(200, R"({"hello":1})");
  world.settle();
  REQUIRE(world.cheap().count() == 1);
  world.cheap().last().stream_head();
  world.cheap().last().body("data: nonsense\n\n");
  world.settle();
  REQUIRE(world.dear().count() == 1);
  world.dear().last().answer(400, R"({"error":{"message":"too long","type":"x"}})");
  check_over(world);
  CHECK(client.status == 400);
  CHECK(client.body ==
        R"({"type":"error","error":{"type":"invalid_request_error","message":"too long"}})");
}

TEST_CASE("endpoints: what cannot be translated goes where it need not be, or is refused") {
  constexpr std::string_view kDocument =
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document"}]}]})";
  Chatty chatty;
  World& world = chatty.world;
  Client& refused = world.ask_at("/v1/messages", kDocument);
  CHECK(refused.status == 400);
  CHECK(refused.body.find("messages[0].content[0].type") != std::string::npos);
  world.proxy.nodes[valve::NodeId{2}].speaks.add(upstream::Endpoint::messages);
  Client& client = world.ask_at("/v1/messages", kDocument);
  REQUIRE(world.dear().count() == 1);
  CHECK(world.dear().last().sent_body() == kDocument);
  world.dear().last().answer(200, R"({"id":"msg_2"})");
  check_over(world);
  CHECK(client.body == R"({"id":"msg_2"})");
}

namespace {

std::string going_on_from(std::string_view id) {
  return fmt::format(R"({{"model":"m","input":"more","previous_response_id":"{}"}})", id);
}

// A response that a node has made, because the one before it failed.
void make_response(World& world, std::string_view id) {
  world.ask_at("/v1/responses", R"({"model":"m","input":"hi"})");
  world.local().last().answer(500, "{}");
  world.settle();
  world.cheap().last().answer(200, fmt::format(R"({{"id":"{}","model":"m","output":[]}})", id));
  world.settle();
}

}  // namespace

TEST_CASE("endpoints: who goes on from a response reaches the node that made it") {
  World world;
  make_response(world, "resp_1");
  REQUIRE(world.cheap().count() == 1);
  Client& client = world.ask_at("/v1/responses", going_on_from("resp_1"));
  REQUIRE(world.cheap().count() == 2);
  CHECK(world.cheap().last().sent_body() == going_on_from("resp_1"));
  world.cheap().last().stream_head();
  world.cheap().last().body(kCreated);
  world.cheap().last().body(kCompleted);
  world.cheap().last().end();
  world.settle();
  CHECK(client.ended);
  world.ask_at("/v1/responses", going_on_from("resp_1"));  // and from that again
  REQUIRE(world.cheap().count() == 3);
  world.cheap().last().answer(500, "{}");
  world.settle();
  CHECK(world.dear().count() == 0);
  check_over(world);
}

TEST_CASE("endpoints: a response that is not known, or another key's, is 404 with advice") {
  World world;
  make_response(world, "resp_1");
  world.add_key("key-other", identity::DataClass::internal);
  for (Client* client : {&world.ask_at("/v1/responses", going_on_from("resp_x")),
                         &world.ask_at("/v1/responses", going_on_from("resp_1"), "key-other")}) {
    CHECK(client->status == 404);
    CHECK(client->body.find("previous_response_not_found") != std::string::npos);
    CHECK(client->body.find("send the whole conversation") != std::string::npos);
  }
  // With one node there is nothing to choose: it knows, or says that it does not.
  world.ask_at("/v1/responses", going_on_from("resp_x"), "key-home");
  world.local().last().answer(404, R"({"error":{"message":"unheard of"}})");
  check_over(world);
}

TEST_CASE("endpoints: a response whose node may no longer be used is 409") {
  World world;
  make_response(world, "resp_1");
  world.proxy.nodes[valve::NodeId{1}].data.accepts_internal = false;
  Client& client = world.ask_at("/v1/responses", going_on_from("resp_1"));
  CHECK(client.status == 409);
  CHECK(client.body.find("previous_response_unreachable") != std::string::npos);
  check_over(world);
}

TEST_CASE("endpoints: a form passes with its boundary and bytes, but for the model's name") {
  World world;
  const std::string form =
      "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--A"
      "\r\n--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nalias\r\n--B--\r\n";
  constexpr const char* kType = "multipart/form-data; boundary=B";
  Client& client =
      world.ask_at("/v1/audio/transcriptions", form, "key-internal", {{"content-type", kType}});
  NodeCall& call = world.local().last();
  CHECK(call.spec.target == "/v1/audio/transcriptions");
  CHECK(call.spec.fields.get("content-type") == kType);
  std::string expected = form;
  expected.replace(expected.find("alias"), 5, "m");
  CHECK(call.sent_body() == expected);
  call.answer(200,
              R"({"text":"hello","usage":{"type":"tokens","input_tokens":9,"output_tokens":2}})");
  world.settle();
  CHECK(client.ended);
  Client& refused =
      world.ask_at("/v1/audio/transcriptions", "--B--", "key-internal", {{"content-type", kType}});
  CHECK(refused.status == 400);
  CHECK(refused.body.find("\\\"model\\\"") != std::string::npos);
  check_over(world);
}

}  // namespace sluice::script
