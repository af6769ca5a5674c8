#include "firmware/upstream/messages_request.h"

#include <doctest/doctest.h>

#include <string>

#include "firmware/ports/json.h"

namespace sluice::upstream {

namespace {

// A request with these members beside model and max_tokens.
std::string with(std::string_view members) {
  return R"({"model":"m","max_tokens":9,)" + std::string(members) + "}";
}

std::string said(std::string_view members) {
  const Result<std::string> chat = chat_request_from_messages(with(members));
  REQUIRE_MESSAGE(chat.has_value(), chat.error().text);
  return *chat;
}

std::string messages_of(std::string_view messages) {
  const auto chat = ports::parse_json(said("\"messages\":" + std::string(messages)));
  return to_json(*chat->find("messages"));
}

std::string refusal(std::string_view members) {
  const Result<std::string> chat = chat_request_from_messages(with(members));
  REQUIRE_FALSE(chat.has_value());
  CHECK(chat.error().kind == ErrorKind::refused);
  return chat.error().text;
}

constexpr const char* kHi = R"("messages":[{"role":"user","content":"hi"}])";

std::string hi(std::string_view more) { return std::string(kHi) + "," + std::string(more); }

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("messages request: words and bounds are said again") {
  CHECK(said(kHi) == R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":9})");
  CHECK(said(hi(R"("temperature":0.5,"top_p":0.9,"top_k":40,"stream":true,)"
                R"("stop_sequences":["END","\n"],"metadata":{"user_id":"u-1"})")) ==
        R"({"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":9,)"
        R"("temperature":0.5,"top_p":0.9,"top_k":40,"stream":true,"stop":["END","\n"],)"
        R"("user":"u-1"})");
}

TEST_CASE("messages request: a system prompt of blocks is one message") {
  CHECK(has(said(hi(R"("system":"be brief")")),
            R"([{"role":"system","content":"be brief"},{"role":"user")"));
  CHECK(has(said(hi(R"("system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},)"
                    R"({"type":"text","text":"b"}])")),
            R"({"role":"system","content":"a\nb"})"));
  CHECK_FALSE(has(said(hi(R"("system":[])")), "system"));
}

TEST_CASE("messages request: pictures become image urls") {
  CHECK(messages_of(
            R"([{"role":"user","content":[{"type":"text","text":"what"},{"type":"image","source":)"
            R"({"type":"base64","media_type":"image/png","data":"aGk="}},{"type":"image","source":)"
            R"({"type":"url","url":"http://x/y.png"}}]}])") ==
        R"([{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url",)"
        R"("image_url":{"url":"data:image/png;base64,aGk="}},{"type":"image_url",)"
        R"("image_url":{"url":"http://x/y.png"}}]}])");
}

TEST_CASE("messages request: tool calls and their results, in the order chat wants them") {
  CHECK(
      messages_of(
          R"([{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},)"
          R"({"type":"text","text":"let me see"},)"
          R"({"type":"tool_use","id":"t1","name":"level","input":{"river":"Elbe"}}]},)"
          R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":)"
          R"([{"type":"text","text":"7"},{"type":"text","text":"m"},{"type":"image","source":)"
          R"({"type":"url","url":"u"}}]},{"type":"text","text":"so?"}]}])") ==
      R"([{"role":"assistant","content":"let me see","tool_calls":[{"id":"t1","type":"function",)"
      R"("function":{"name":"level","arguments":"{\"river\":\"Elbe\"}"}}]},)"
      R"({"role":"tool","tool_call_id":"t1","content":"7\nm"},)"
      R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}},)"
      R"({"type":"text","text":"so?"}]}])");
  CHECK(messages_of(R"([{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n",)"
                    R"("input":{}}]},{"role":"user","content":[{"type":"tool_result",)"
                    R"("tool_use_id":"t","is_error":true,"content":"no"}]}])") ==
        R"([{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function",)"
        R"("function":{"name":"n","arguments":"{}"}}]},)"
        R"({"role":"tool","tool_call_id":"t","content":"Error: no"}])");
}

TEST_CASE("messages request: tools, and which of them may be called") {
  CHECK(
      has(said(hi(R"("tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}])")),
          R"("tools":[{"type":"function","function":{"name":"f","description":"d",)"
          R"("parameters":{"type":"object"}}}])"));
  const auto choice = [](std::string_view words) {
    return said(hi("\"tool_choice\":" + std::string(words)));
  };
  CHECK(has(choice(R"({"type":"auto"})"), R"("tool_choice":"auto")"));
  CHECK(has(choice(R"({"type":"any"})"), R"("tool_choice":"required")"));
  CHECK(has(choice(R"({"type":"none"})"), R"("tool_choice":"none")"));
  CHECK(has(choice(R"({"type":"tool","name":"f"})"),
            R"("tool_choice":{"type":"function","function":{"name":"f"}})"));
  CHECK(has(choice(R"({"type":"auto","disable_parallel_tool_use":true})"),
            R"("parallel_tool_calls":false)"));
  CHECK(has(refusal(hi(R"("tool_choice":{"type":"tool"})")), "\"tool_choice\""));
}

TEST_CASE("messages request: a schema for the output becomes a response format") {
  const char* expected =
      R"("response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":)"
      R"({"type":"object"},"strict":true}})";
  CHECK(has(said(hi(R"("output_config":{"format":{"type":"json_schema","schema":{"type":)"
                    R"("object"}}})")),
            expected));
  CHECK(has(said(hi(R"("output_format":{"type":"json_schema","schema":{"type":"object"}})")),
            expected));
  CHECK_FALSE(has(said(hi(R"("output_config":{"effort":"low"})")), "response_format"));
}

TEST_CASE("messages request: what cannot be said is refused by its name") {
  const auto block = [](std::string_view content) {
    return refusal(R"("messages":[{"role":"user","content":[)" + std::string(content) + "]}]");
  };
  CHECK(has(block(R"({"type":"document","source":{}})"), "\"messages[0].content[0].type\""));
  CHECK(has(block(R"({"type":"text","text":"a"},{"type":"image","source":{"type":"file"}})"),
            "\"messages[0].content[1].source.type\""));
  CHECK(has(block(R"({"type":"tool_result"})"), "\"messages[0].content[0].tool_use_id\""));
  CHECK(has(block(R"({"type":"text"})"), "\"messages[0].content[0].text\""));
  CHECK(has(refusal(R"("messages":[{"role":"assistant","content":[{"type":"server_tool_use"}]}])"),
            "server_tool_use"));
  CHECK(has(refusal(R"("messages":[{"role":"robot","content":"x"}])"), "\"messages[0].role\""));
  CHECK(has(refusal(R"("messages":[{"role":"user"}])"), "\"messages[0].content\""));
  CHECK(has(refusal(R"("messages":3)"), "\"messages\""));
  CHECK(has(refusal(hi(R"("tools":[{"type":"web_search_20250305","name":"web_search"}])")),
            "\"tools[0].type\""));
  CHECK(has(refusal(hi(R"("mcp_servers":[{"url":"x"}])")), "\"mcp_servers\""));
  CHECK(has(refusal(hi(R"("container":"c")")), "\"container\""));
  CHECK(has(refusal(hi(R"("system":[{"type":"image"}])")), "\"system[0].type\""));
  CHECK(has(chat_request_from_messages(R"({"model":"m","messages":[]})").error().text,
            "\"max_tokens\""));
  CHECK_FALSE(chat_request_from_messages("[]"));
  CHECK_FALSE(chat_request_from_messages("{"));
}

TEST_CASE("messages request: what the answer does not need is left out") {
  const std::string chat =
      said(hi(R"("thinking":{"type":"enabled","budget_tokens":1024},"service_tier":"auto",)"
              R"("mcp_servers":[],"container":null)"));
  CHECK(chat == said(kHi));
}

}  // namespace sluice::upstream
