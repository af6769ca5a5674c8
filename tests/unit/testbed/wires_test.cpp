#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/testbed/answer_wire.h"
#include "tests/testbed/endpoints.h"
#include "tests/testbed/multipart.h"
#include "tests/testbed/plain_answers.h"
#include "tests/testbed/words.h"

using namespace sluice::testbed;
using nlohmann::json;

namespace {

InferRequest read(Dialect dialect, const json& body) {
  InferRequest request;
  const auto error = read_infer_request(body.dump(), dialect, &request);
  REQUIRE_MESSAGE(!error, error.value_or(""));
  return request;
}

AnswerFacts facts_of(const InferRequest& request, std::int64_t limit) {
  return {request, AnswerScript(request, limit, false), 7, 1700000000,
          prompt_tokens(request.prompt_text.size())};
}

// The data of all events, parsed; [DONE] as a string.
std::vector<json> stream_of(const AnswerFacts& facts) {
  const auto wire = make_wire(facts);
  Events all = wire->begin();
  const auto add = [&all](Events more) {
    for (std::string& one : more) all.push_back(std::move(one));
  };
  for (std::int64_t i = 0; i < facts.script.tokens(); ++i) {
    for (int c = 0; c < facts.request.choices; ++c) {
      add(wire->token(c, facts.script.piece(c, i)));
    }
  }
  add(wire->end());
  std::vector<json> data;
  for (const std::string& event : all) {
    REQUIRE(event.ends_with("\n\n"));
    const std::string text = event.substr(event.find("data: ") + 6);
    json parsed = json::parse(text, nullptr, false);
    if (parsed.is_discarded()) parsed = text.substr(0, text.size() - 2);
    data.push_back(std::move(parsed));
  }
  return data;
}

json user(const std::string& text) { return json::array({{{"role", "user"}, {"content", text}}}); }

json tools(Dialect dialect) {
  json list = json::array();
  for (const char* name : {"level", "gate"}) {
    const json tool = {{"type", "function"}, {"name", name}};
    list.push_back(dialect == Dialect::chat ? json{{"type", "function"}, {"function", tool}}
                                            : tool);
  }
  return list;
}

}  // namespace

TEST_CASE("wires: the words are the same in every dialect, whole and streamed") {
  const std::string expected = words(text_seed("be kind"
                                               "how high?"),
                                     9);
  const json chat = {{"model", "m"},
                     {"messages", json::array({{{"role", "system"}, {"content", "be kind"}},
                                               {{"role", "user"}, {"content", "how high?"}}})}};
  const json responses = {{"model", "m"}, {"instructions", "be kind"}, {"input", "how high?"}};
  const json messages = {
      {"model", "m"}, {"max_tokens", 9}, {"system", "be kind"}, {"messages", user("how high?")}};
  const auto of_chat = facts_of(read(Dialect::chat, chat), 9);
  const auto of_responses = facts_of(read(Dialect::responses, responses), 9);
  const auto of_messages = facts_of(read(Dialect::messages, messages), 9);
  CHECK(json::parse(make_wire(of_chat)->whole())["choices"][0]["message"]["content"] == expected);
  CHECK(json::parse(make_wire(of_responses)->whole())["output"][0]["content"][0]["text"] ==
        expected);
  CHECK(json::parse(make_wire(of_messages)->whole())["content"][0]["text"] == expected);
  std::string text;
  for (const json& data : stream_of(of_responses)) {
    if (data["type"] == "response.output_text.delta") text += data["delta"];
  }
  CHECK(text == expected);
  text.clear();
  for (const json& data : stream_of(of_messages)) {
    if (data["type"] == "content_block_delta") text += data["delta"]["text"];
  }
  CHECK(text == expected);
}

TEST_CASE("wires: parallel calls are streamed in fragments that make the whole's arguments") {
  for (const Dialect dialect : {Dialect::chat, Dialect::responses, Dialect::messages}) {
    json body = {{"model", "m"}, {"tools", tools(dialect)}, {"max_tokens", 50}};
    body[dialect == Dialect::responses ? "input" : "messages"] = user("call gate, call level.");
    const auto facts = facts_of(read(dialect, body), 50);
    CHECK(facts.request.calls == std::vector<std::string>{"level", "gate"});
    CHECK(facts.script.finish_reason() == "tool_calls");
    CHECK(facts.script.tokens() == 2 * AnswerScript::kTokensOfCall);
    std::string streamed[2];
    for (const json& data : stream_of(facts)) {
      if (dialect == Dialect::chat && data.is_object() && !data["choices"].empty() &&
          data["choices"][0]["delta"].contains("tool_calls")) {
        const json& call = data["choices"][0]["delta"]["tool_calls"][0];
        streamed[call["index"].get<int>()] += call["function"]["arguments"];
      } else if (data.is_object() &&
                 data.value("type", "") == "response.function_call_arguments.delta") {
        streamed[data["output_index"].get<int>()] += data["delta"];
      } else if (data.is_object() && data.value("type", "") == "content_block_delta") {
        streamed[data["index"].get<int>()] += data["delta"]["partial_json"];
      }
    }
    for (int call = 0; call < 2; ++call) {
      CHECK(streamed[call] == facts.script.arguments(0, call));
      CHECK(json::parse(streamed[call])["call"] == call);
    }
  }
}

TEST_CASE("wires: a call is not made where it is not wished, and is where it is required") {
  json body = {{"model", "m"}, {"tools", tools(Dialect::chat)}, {"messages", user("call gates")}};
  CHECK(read(Dialect::chat, body).calls.empty());
  body["tool_choice"] = "required";
  CHECK(read(Dialect::chat, body).calls == std::vector<std::string>{"level"});
  body["tool_choice"] = {{"type", "function"}, {"function", {{"name", "gate"}}}};
  CHECK(read(Dialect::chat, body).calls == std::vector<std::string>{"gate"});
  body["tool_choice"] = "none";
  body["messages"] = user("call gate");
  CHECK(read(Dialect::chat, body).calls.empty());
  body.erase("tool_choice");
  body["messages"].push_back({{"role", "tool"}, {"content", "call gate"}});
  CHECK(read(Dialect::chat, body).calls.empty());
}

TEST_CASE("wires: choices differ, the first is that of a single one, usage counts all") {
  const json body = {{"model", "m"}, {"n", 3}, {"messages", user("x")}};
  const json whole = json::parse(make_wire(facts_of(read(Dialect::chat, body), 5))->whole());
  REQUIRE(whole["choices"].size() == 3);
  CHECK(whole["choices"][0]["message"]["content"] == words(text_seed("x"), 5));
  CHECK(whole["choices"][1]["message"]["content"] != whole["choices"][2]["message"]["content"]);
  CHECK(whole["usage"]["completion_tokens"] == 15);
}

TEST_CASE("multipart: parts are cut at the boundary and nowhere else") {
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.wav\"\r\n"
      "Content-Type: audio/wav\r\n\r\n\r\n--a\r\n--\r\n--b--\r\n";
  Form form;
  REQUIRE_FALSE(read_form("multipart/form-data; boundary=b", body, &form));
  REQUIRE(form.parts.size() == 2);
  CHECK(form.text("model") == "m");
  CHECK(form.find("file")->bytes == "\r\n--a\r\n--");
  CHECK(told(form)["files"][0]["sha256"] == sha256_hex("\r\n--a\r\n--"));
  CHECK(read_form("multipart/form-data; boundary=c", body, &form));
  CHECK(read_form("multipart/form-data; boundary=b", body.substr(0, body.size() - 4), &form));
  CHECK(read_form("application/json", body, &form));
}

TEST_CASE("endpoints: names choose, a wrong one is told") {
  std::vector<std::string> names;
  CHECK_FALSE(read_endpoint_names("messages,rerank", &names));
  CHECK(names == std::vector<std::string>{"messages", "rerank"});
  CHECK(read_endpoint_names("massages", &names));
  CHECK(endpoint_at("/v1/nothing") == nullptr);
  CHECK((endpoint_at("/v1/rerank")->plain == answer_rerank));
}
