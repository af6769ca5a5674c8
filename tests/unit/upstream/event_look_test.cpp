#include "firmware/upstream/event_look.h"

#include <doctest/doctest.h>

#include <string>

#include "firmware/upstream/answer_filter.h"

namespace sluice::upstream {

namespace {

EventLook look(Dialect dialect, std::string_view name, std::string_view data) {
  SseEvent event;
  event.name = name;
  event.data = data;
  return look_at_event(dialect, event);
}

std::string filtered(AnswerFilter& filter, std::string_view all, size_t piece) {
  std::string out;
  for (size_t at = 0; at < all.size(); at += piece) out += filter.feed(all.substr(at, piece));
  out += filter.finish();
  return out;
}

constexpr std::string_view kResponse =
    "event: response.created\n"
    "data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\","
    "\"model\":\"up\",\"tools\":[{\"parameters\":{\"properties\":{\"error\":{\"type\":\"string\"},"
    "\"usage\":{\"type\":\"object\"},\"model\":\"up\"}}}],\"usage\":null}}\n\n"
    "event: response.output_text.delta\n"
    "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n"
    "event: response.output_text.delta\n"
    "data: {\"type\":\"response.output_text.delta\",\"delta\":\"\"}\n\n"
    "event: response.novel.thing\ndata: {\"model\":\"up\"}\n\n"
    "event: response.completed\n"
    "data: "
    "{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"model\":\"up\",\"error\":"
    "null,\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4},"
    "\"output_tokens\":2,\"total_tokens\":11}}}\n\n";

constexpr std::string_view kMessage =
    "event: message_start\n"
    "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"up\",\"usage\":"
    "{\"input_tokens\":5,\"cache_read_input_tokens\":20,\"output_tokens\":1}}}\n\n"
    "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    "event: content_block_start\n"
    "data: "
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":"
    "\"\"}}\n\n"
    "event: content_block_delta\n"
    "data: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
    "\"Hi\"}}\n\n"
    "event: message_delta\n"
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"
    "{\"output_tokens\":7}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

}  // namespace

TEST_CASE("event look: a response's stream ends with each of its three last events") {
  for (const char* type : {"response.completed", "response.incomplete", "response.failed"}) {
    CAPTURE(type);
    const EventLook seen = look(Dialect::responses, type, R"({"response":{"id":"r"}})");
    CHECK(seen.is_end);
    CHECK(seen.is_error == (std::string(type) == "response.failed"));
    CHECK(seen.response_id == "r");
  }
  CHECK_FALSE(look(Dialect::responses, "response.output_text.done", "{}").is_end);
  CHECK_FALSE(look(Dialect::responses, "", "[DONE]").is_end);
  CHECK(look(Dialect::responses, "error", R"({"type":"error"})").is_error);
}

TEST_CASE("event look: without a name the type in the data tells") {
  CHECK(look(Dialect::messages, "", R"({"type":"message_stop"})").is_end);
  CHECK(look(Dialect::messages, "", R"({"type":"error","error":{}})").is_error);
  CHECK(look(Dialect::responses, "", R"({"response":{"type":"x"},"type":"response.completed"})")
            .is_end);
}

TEST_CASE("event look: text, arguments and thinking are tokens, empty pieces are none") {
  const auto message = [](std::string_view delta) {
    return look(Dialect::messages, "content_block_delta", delta).has_text;
  };
  CHECK(message(R"({"delta":{"type":"text_delta","text":"a"}})"));
  CHECK(message(R"({"delta":{"type":"input_json_delta","partial_json":"{"}})"));
  CHECK(message(R"({"delta":{"type":"thinking_delta","thinking":"hm"}})"));
  CHECK_FALSE(message(R"({"delta":{"type":"text_delta","text":""}})"));
  CHECK_FALSE(message(R"({"delta":{"type":"signature_delta","signature":"x"}})"));
  const auto response = [](std::string_view type) {
    return look(Dialect::responses, type, R"({"delta":"a"})").has_text;
  };
  CHECK(response("response.output_text.delta"));
  CHECK(response("response.function_call_arguments.delta"));
  CHECK(response("response.reasoning_summary_text.delta"));
  CHECK_FALSE(response("response.output_text.done"));
}

TEST_CASE("event look: a response's stream is read, and renamed only where its model stands") {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100'000}}) {
    AnswerFilter filter(true, {false, "up", "mine"}, Dialect::responses);
    const std::string out = filtered(filter, kResponse, piece);
    CHECK(filter.done_seen());
    CHECK_FALSE(filter.error_seen());
    CHECK(filter.tokens_counted() == 1);
    CHECK(filter.response_id() == "resp_1");
    REQUIRE(filter.usage());
    CHECK(filter.usage()->in.count == 9);
    CHECK(filter.usage()->cached.count == 4);
    CHECK(filter.usage()->out.count == 2);
    std::string expected(kResponse);
    for (const std::string_view before :
         {"\"id\":\"resp_1\",\"model\":\"", "\"resp_1\",\"model\":\""}) {
      for (size_t at; (at = expected.find(std::string(before) + "up\"")) != std::string::npos;) {
        expected.replace(at + before.size(), 2, "mine");
      }
    }
    CHECK(out == expected);
  }
}

TEST_CASE("event look: a message's counts are cumulative, its cache counts as prompt") {
  for (const size_t piece : {size_t{1}, size_t{13}, size_t{100'000}}) {
    AnswerFilter filter(true, {true, "same", "same"}, Dialect::messages);
    CHECK(filtered(filter, kMessage, piece) == kMessage);
    CHECK(filter.done_seen());
    CHECK(filter.tokens_counted() == 1);
    REQUIRE(filter.usage());
    CHECK(filter.usage()->in.count == 25);
    CHECK(filter.usage()->cached.count == 20);
    CHECK(filter.usage()->out.count == 7);
    CHECK(filter.events_seen() == 6);
  }
}

TEST_CASE("event look: a message's model is renamed where it begins") {
  AnswerFilter filter(true, {false, "up", "mine"}, Dialect::messages);
  const std::string out = filtered(filter, kMessage, 50);
  CHECK(out.find("\"model\":\"mine\"") != std::string::npos);
  CHECK(out.size() == kMessage.size() + 2);
}

TEST_CASE("event look: data in several lines is read, and its model renamed") {
  constexpr std::string_view kLines =
      "event: message_start\n"
      "data: {\"type\":\"message_start\",\n"
      "data: \"message\":{\"id\":\"msg_1\",\"model\":\"up\"}}\n\n";
  for (const size_t piece : {size_t{1}, size_t{7}, kLines.size()}) {
    AnswerFilter filter(true, {false, "up", "mine"}, Dialect::messages);
    const std::string out = filtered(filter, kLines, piece);
    CHECK(out.find("\"model\":\"mine\"}}\n\n") != std::string::npos);
    CHECK(out.size() == kLines.size() + 2);
  }
}

TEST_CASE("event look: streams that were cut off have no end") {
  AnswerFilter message(true, {}, Dialect::messages);
  filtered(message, kMessage.substr(0, kMessage.find("event: message_stop")), 9);
  CHECK_FALSE(message.done_seen());
  CHECK(message.has_last_event());
  AnswerFilter plain(true, {}, Dialect::plain);
  CHECK_FALSE(plain.has_last_event());
}

TEST_CASE("event look: whole answers tell id, usage and model") {
  const std::string body =
      R"({"id":"resp_7","output":[{"id":"msg_1"}],"model":"up","usage":{"input_tokens":3,)"
      R"("output_tokens":4}})";
  AnswerFilter filter(false, {false, "up", "mine"}, Dialect::responses);
  const std::string out = filtered(filter, body, 11);
  CHECK(out.find(R"("model":"mine")") != std::string::npos);
  CHECK(filter.response_id() == "resp_7");
  CHECK(filter.usage()->out.count == 4);
  AnswerFilter rerank(false, {}, Dialect::plain);
  filtered(rerank, R"({"results":[],"meta":{"tokens":{"input_tokens":12}}})", 100);
  CHECK(rerank.usage()->in.count == 12);
}

TEST_CASE("event look: a transcript's stream tells usage with its last event") {
  AnswerFilter filter(true, {}, Dialect::plain);
  filtered(filter,
           "data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hel\"}\n\n"
           "data: {\"type\":\"transcript.text.done\",\"text\":\"Hello\",\"usage\":{\"type\":"
           "\"tokens\",\"input_tokens\":14,\"output_tokens\":3}}\n\n",
           10);
  CHECK(filter.tokens_counted() == 1);
  CHECK(filter.usage()->in.count == 14);
  CHECK_FALSE(filter.error_seen());
}

TEST_CASE("usage: what the endpoints say, in one form") {
  CHECK(read_usage(R"({"total_tokens":8})")->in.count == 8);
  CHECK(read_usage(R"({"prompt_tokens":8,"total_tokens":8})")->out.count == 0);
  CHECK(read_usage(R"({"output_tokens":8})")->out.count == 8);
  CHECK_FALSE(read_usage(R"({"type":"duration","seconds":8})"));
  CHECK_FALSE(read_usage(R"({"input_tokens":-1})"));
  CHECK_FALSE(read_usage(R"({"input_tokens":9000000000000000000,"cache_read_input_tokens":9})"));
  CHECK_FALSE(read_usage(R"({"input_tokens":1,"cache_read_input_tokens":9,)"
                         R"("input_tokens_details":{"cached_tokens":9223372036854775807}})"));
  CHECK_FALSE(read_usage(
      R"({"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807})"));
  const Usage sum = merged({{5}, {1}, {0}}, {{0}, {9}, {0}});
  CHECK(sum.in.count == 5);
  CHECK(sum.out.count == 9);
}

}  // namespace sluice::upstream
