#include "firmware/upstream/messages_answer.h"

#include <doctest/doctest.h>

#include <string>

#include "firmware/upstream/messages_translation.h"

namespace sluice::upstream {

namespace {

const MessageName kName{"msg_1", "mine"};

std::string whole(std::string_view message, std::string_view more = "",
                  std::string_view reason = "stop") {
  const std::string body = R"({"id":"c","choices":[{"index":0,"message":)" + std::string(message) +
                           R"(,"finish_reason":")" + std::string(reason) + "\"" +
                           std::string(more) +
                           R"(}],"usage":{"prompt_tokens":10,"completion_tokens":3,)" +
                           R"("prompt_tokens_details":{"cached_tokens":4}}})";
  const Result<std::string> said = message_from_chat(body, kName);
  REQUIRE(said.has_value());
  return *said;
}

std::string chunk(std::string_view delta, std::string_view reason = "") {
  const std::string finish = reason.empty() ? "null" : "\"" + std::string(reason) + "\"";
  return R"(data: {"choices":[{"index":0,"delta":)" + std::string(delta) + R"(,"finish_reason":)" +
         finish + "}]}\n\n";
}

std::string translated(std::string_view stream, size_t piece) {
  MessagesStream said(kName);
  std::string out;
  for (size_t at = 0; at < stream.size(); at += piece) out += said.feed(stream.substr(at, piece));
  out += said.finish();
  CHECK_FALSE(said.is_broken());
  return out;
}

std::string event(std::string_view data) {
  const size_t begin = data.find(":\"") + 2;
  return "event: " + std::string(data.substr(begin, data.find('"', begin) - begin)) +
         "\ndata: " + std::string(data) + "\n\n";
}

const std::string kStart =
    event(R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",)"
          R"("model":"mine","content":[],"stop_reason":null,"stop_sequence":null,"usage":)"
          R"({"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,)"
          R"("output_tokens":0}}})");

std::string start(int index, std::string_view block) {
  return event(R"({"type":"content_block_start","index":)" + std::to_string(index) +
               R"(,"content_block":)" + std::string(block) + "}");
}

std::string delta(int index, std::string_view inner) {
  return event(R"({"type":"content_block_delta","index":)" + std::to_string(index) +
               R"(,"delta":)" + std::string(inner) + "}");
}

std::string stop(int index) {
  return event(R"({"type":"content_block_stop","index":)" + std::to_string(index) + "}");
}

std::string finale(std::string_view reason, int in, int out) {
  return event(R"({"type":"message_delta","delta":{"stop_reason":")" + std::string(reason) +
               R"(","stop_sequence":null},"usage":{"input_tokens":)" + std::to_string(in) +
               R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":)" +
               std::to_string(out) + "}}") +
         event(R"({"type":"message_stop"})");
}

const std::string kUsage =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n"
    "data: [DONE]\n\n";

}  // namespace

TEST_CASE("messages answer: text, reason and usage of a whole answer") {
  CHECK(whole(R"({"role":"assistant","content":"Hi"})") ==
        R"({"id":"msg_1","type":"message","role":"assistant","model":"mine","content":)"
        R"([{"type":"text","text":"Hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":)"
        R"({"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,)"
        R"("output_tokens":3}})");
}

TEST_CASE("messages answer: reasons are said in Anthropic's words") {
  const auto reason = [](std::string_view finish, std::string_view more = "") {
    const std::string said = whole(R"({"content":"x"})", more, finish);
    const size_t at = said.find("\"stop_reason\":\"") + 15;
    return said.substr(at, said.find('"', at) - at);
  };
  CHECK(reason("stop") == "end_turn");
  CHECK(reason("length") == "max_tokens");
  CHECK(reason("content_filter") == "refusal");
  CHECK(reason("stop", R"(,"stop_reason":"END")") == "stop_sequence");
  CHECK(reason("stop", R"(,"stop_reason":128001)") == "end_turn");
  CHECK(whole(R"({"content":"x"})", R"(,"stop_reason":"END")").find(R"("stop_sequence":"END")") !=
        std::string::npos);
}

TEST_CASE("messages answer: thoughts and tool calls are blocks") {
  const std::string said = whole(
      R"({"reasoning_content":"hm","content":null,"tool_calls":[{"id":"t1","type":"function",)"
      R"("function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"t2","function":{"name":"g",)"
      R"("arguments":"not json"}},{"id":"t3","function":{"name":"h","arguments":""}}]})",
      "", "tool_calls");
  CHECK(said.find(R"("content":[{"type":"thinking","thinking":"hm","signature":""},)"
                  R"({"type":"tool_use","id":"t1","name":"f","input":{"a":1}},)"
                  R"({"type":"tool_use","id":"t2","name":"g","input":{"arguments":"not json"}},)"
                  R"({"type":"tool_use","id":"t3","name":"h","input":{}}],)"
                  R"("stop_reason":"tool_use")") != std::string::npos);
}

TEST_CASE("messages answer: what is no chat completion is broken") {
  for (const char* body : {"", "{", "[]", "{}", R"({"choices":[]})", R"({"choices":[{}]})",
                           R"({"choices":[{"message":3}]})"}) {
    CAPTURE(body);
    const Result<std::string> said = message_from_chat(body, kName);
    REQUIRE_FALSE(said.has_value());
    CHECK(said.error().kind == ErrorKind::broken);
  }
}

TEST_CASE("messages answer: a node's error is told in Anthropic's shape") {
  CHECK(message_error(400, R"({"error":{"message":"too long","type":"x","code":1}})") ==
        R"({"type":"error","error":{"type":"invalid_request_error","message":"too long"}})");
  CHECK(message_error(429, R"({"message":"slow","object":"error"})").find("rate_limit_error") !=
        std::string::npos);
  CHECK(message_error(500, "<html>").find("status 500") != std::string::npos);
  CHECK(message_error(400, R"({"error":"plain"})").find("plain") != std::string::npos);
}

TEST_CASE("messages stream: text, however it is cut, in Anthropic's order") {
  const std::string chat = chunk(R"({"role":"assistant","content":""})") + ": comment\n\n" +
                           chunk(R"({"content":"Hel"})") + chunk(R"({"content":"lo"})") +
                           chunk("{}", "stop") + kUsage;
  const std::string expected = kStart + start(0, R"({"type":"text","text":""})") +
                               delta(0, R"({"type":"text_delta","text":"Hel"})") +
                               delta(0, R"({"type":"text_delta","text":"lo"})") + stop(0) +
                               finale("end_turn", 7, 2);
  for (size_t piece = 1; piece < 40; ++piece) CHECK(translated(chat, piece) == expected);
  CHECK(translated(chat, chat.size()) == expected);
}

TEST_CASE("messages stream: thoughts, then text, then tools, each a block of its own") {
  const std::string chat =
      chunk(R"({"reasoning_content":"hm"})") + chunk(R"({"content":"see"})") +
      chunk(R"({"tool_calls":[{"index":0,"id":"t1","type":"function","function":)"
            R"({"name":"f","arguments":""}}]})") +
      chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]})") +
      chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]})") +
      chunk("{}", "tool_calls") + kUsage;
  CHECK(translated(chat, 3) ==
        kStart + start(0, R"({"type":"thinking","thinking":"","signature":""})") +
            delta(0, R"({"type":"thinking_delta","thinking":"hm"})") + stop(0) +
            start(1, R"({"type":"text","text":""})") +
            delta(1, R"({"type":"text_delta","text":"see"})") + stop(1) +
            start(2, R"({"type":"tool_use","id":"t1","name":"f","input":{}})") +
            delta(2, R"({"type":"input_json_delta","partial_json":"{\"a\":"})") +
            delta(2, R"({"type":"input_json_delta","partial_json":"1}"})") + stop(2) +
            finale("tool_use", 7, 2));
}

TEST_CASE("messages stream: tool calls whose pieces alternate still follow one another") {
  const std::string chat =
      chunk(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}},)"
            R"({"index":1,"id":"b","function":{"name":"g","arguments":"["}}]})") +
      chunk(R"({"tool_calls":[{"index":1,"function":{"arguments":"]"}},)"
            R"({"index":0,"function":{"arguments":"}"}}]})") +
      chunk("{}", "tool_calls") + kUsage;
  CHECK(translated(chat, 1000) ==
        kStart + start(0, R"({"type":"tool_use","id":"a","name":"f","input":{}})") +
            delta(0, R"({"type":"input_json_delta","partial_json":"{"})") +
            delta(0, R"({"type":"input_json_delta","partial_json":"}"})") + stop(0) +
            start(1, R"({"type":"tool_use","id":"b","name":"g","input":{}})") +
            delta(1, R"({"type":"input_json_delta","partial_json":"[]"})") + stop(1) +
            finale("tool_use", 7, 2));
}

TEST_CASE("messages stream: without its last event nothing pretends to be the end") {
  const std::string out = translated(chunk(R"({"content":"Hel"})"), 5);
  CHECK(out == kStart + start(0, R"({"type":"text","text":""})") +
                   delta(0, R"({"type":"text_delta","text":"Hel"})"));
  CHECK(translated("data: [DONE]", 5).ends_with(event(R"({"type":"message_stop"})")));
}

TEST_CASE("messages stream: an error within it is an error event, and the last one") {
  const std::string out = translated(chunk(R"({"content":"Hel"})") +
                                         "data: {\"error\":{\"message\":\"out of memory\"}}\n\n" +
                                         chunk(R"({"content":"lo"})") + kUsage,
                                     9);
  CHECK(out.ends_with(
      event(R"({"type":"error","error":{"type":"api_error","message":"out of memory"}})")));
}

TEST_CASE("messages stream: what is no chunk, or too much at once, is broken") {
  MessagesStream text(kName);
  text.feed("data: hello\n\n");
  CHECK(text.is_broken());
  CHECK(text.feed(chunk(R"({"content":"a"})")).empty());
  MessagesStream calls(kName);
  const std::string big(MessagesStream::kKeptMax / 2, 'x');
  for (int i = 0; i < 3; ++i) {
    calls.feed(chunk(R"({"tool_calls":[{"index":)" + std::to_string(i) +
                     R"(,"function":{"name":"f","arguments":")" + big + "\"}}]}"));
  }
  calls.feed(chunk(R"({"tool_calls":[{"index":2,"function":{"arguments":")" + big + "\"}}]}"));
  CHECK(calls.is_broken());
}

TEST_CASE("messages translation: a whole answer comes out at its end, a stream as it goes") {
  MessagesTranslation whole(false, kName);
  CHECK(whole.feed(R"({"choices":[{"message":{"content":)").empty());
  CHECK(whole.feed(R"("Hi"},"finish_reason":"stop"}]})").empty());
  CHECK(whole.finish().find(R"("text":"Hi")") != std::string_view::npos);
  CHECK_FALSE(whole.is_broken());
  MessagesTranslation stream(true, kName);
  CHECK_FALSE(stream.feed(chunk(R"({"content":"a"})")).empty());
  CHECK(stream.events_sent() == 3);
}

TEST_CASE("messages translation: what is too long, or no answer, is broken") {
  MessagesTranslation longer(false, kName);
  longer.feed(std::string(MessagesTranslation::kWholeMax, ' '));
  CHECK_FALSE(longer.is_broken());
  longer.feed("x");
  CHECK(longer.is_broken());
  CHECK(longer.finish().empty());
  MessagesTranslation other(false, kName);
  other.feed("<html>");
  CHECK(other.finish().empty());
  CHECK(other.is_broken());
}

}  // namespace sluice::upstream
