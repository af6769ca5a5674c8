#include "firmware/upstream/request_body.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

using namespace sluice;
using namespace sluice::upstream;

namespace {

Result<RequestBody> read(std::string_view body, Endpoint endpoint = Endpoint::chat_completions) {
  return RequestReader(endpoint).finish(ports::TextBody(std::string(body)));
}

std::string error_of(std::string_view body, Endpoint endpoint = Endpoint::chat_completions) {
  const auto result = read(body, endpoint);
  if (result) return "";
  CHECK(result.error().kind == ErrorKind::refused);
  return result.error().text;
}

// What the node gets.
std::string sent(const std::string& body, const std::string& upstream_model, bool usage) {
  const auto result = read(body);
  REQUIRE(result.has_value());
  const auto edited =
      body_for_node(std::make_shared<ports::TextBody>(body), *result, upstream_model, usage);
  return *ports::read_range(*edited, 0, edited->size());
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("request body: what is read of a chat") {
  const auto body = read(R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,
      "max_tokens":50,"n":2,"stream_options":{"include_usage":true}})");
  REQUIRE(body.has_value());
  CHECK(body->model == "m");
  CHECK(body->stream);
  CHECK(body->wants_usage);
  CHECK(body->output_max.count == 50);
  CHECK(body->choices == 2);
  CHECK(body->prompt_bytes == std::string(R"([{"role":"user","content":"hi"}])").size());
}

TEST_CASE("request body: where the parts of a prompt stand, in each API's words") {
  const std::string chat =
      R"({"tools":[{"a":1}],"model":"m","messages":[{}],"response_format":{"type":"json_object"}})";
  const auto body = read(chat);
  REQUIRE(body.has_value());
  CHECK(chat.substr(body->tools.begin, body->tools.size) == R"([{"a":1}])");
  CHECK(chat.substr(body->prompt.begin, body->prompt.size) == "[{}]");
  CHECK(body->system.size == 0);
  CHECK(body->wants_schema);
  const std::string response =
      R"({"model":"m","instructions":"be","input":"hi","text":{"format":{"type":"json_schema"}}})";
  const auto told = read(response, Endpoint::responses);
  REQUIRE(told.has_value());
  CHECK(response.substr(told->system.begin, told->system.size) == "\"be\"");
  CHECK(response.substr(told->prompt.begin, told->prompt.size) == "\"hi\"");
  CHECK(told->wants_schema);
  for (const char* none : {"[]", "null", "[ ]"}) {
    const auto bare = read(fmt::format(
        R"({{"model":"m","messages":[],"tools":{},"response_format":{{"type":"text"}}}})", none));
    REQUIRE(bare.has_value());
    CHECK(bare->tools.size == 0);
    CHECK_FALSE(bare->wants_schema);
  }
}

TEST_CASE("request body: what is not said has a default, and null says nothing") {
  for (const char* text : {R"({"model":"m","messages":[]})",
                           R"({"model":"m","messages":[],"stream":null,"max_tokens":null,"n":null,)"
                           R"("stream_options":null,"max_completion_tokens":null})"}) {
    const auto body = read(text);
    REQUIRE(body.has_value());
    CHECK_FALSE(body->stream);
    CHECK_FALSE(body->wants_usage);
    CHECK(body->output_max.count == 0);
    CHECK(body->choices == 1);
  }
}

TEST_CASE("request body: the newer name of the limit goes first") {
  CHECK(read(R"({"model":"m","messages":[],"max_tokens":9,"max_completion_tokens":5})")
            ->output_max.count == 5);
  CHECK(read(R"({"model":"m","messages":[],"max_tokens":9,"max_completion_tokens":null})")
            ->output_max.count == 9);
}

TEST_CASE("request body: each endpoint has its prompt; embeddings never stream") {
  CHECK(read(R"({"model":"m","prompt":"abc"})", Endpoint::completions)->prompt_bytes == 5);
  const auto embedding = read(R"({"model":"m","input":["a"],"stream":true})", Endpoint::embeddings);
  CHECK(embedding->prompt_bytes == 5);
  CHECK_FALSE(embedding->stream);
  CHECK(has(error_of(R"({"model":"m","prompt":"a"})"), "\"messages\""));
  CHECK(has(error_of(R"({"model":"m"})", Endpoint::completions), "\"prompt\""));
  CHECK(has(error_of(R"({"model":"m"})", Endpoint::embeddings), "\"input\""));
}

TEST_CASE("request body: a wrong type is refused with the field's name") {
  CHECK(has(error_of(R"({"messages":[]})"), "\"model\""));
  CHECK(has(error_of(R"({"model":5,"messages":[]})"), "\"model\" must be a string"));
  CHECK(has(error_of(R"({"model":null,"messages":[]})"), "\"model\" must be a string"));
  CHECK(has(error_of(R"({"model":"","messages":[]})"), "1 to 256 bytes"));
  CHECK(has(error_of("{\"model\":\"" + std::string(257, 'm') + "\",\"messages\":[]}"),
            "1 to 256 bytes"));
  CHECK(has(error_of(R"({"model":"m","messages":[],"stream":"true"})"), "\"stream\" must be"));
  CHECK(has(error_of(R"({"model":"m","messages":[],"stream":1})"), "\"stream\" must be"));
  CHECK(has(error_of(R"({"model":"m","messages":[],"stream_options":true})"), "an object"));
  CHECK(has(error_of(R"({"model":"m","messages":[],"max_tokens":"5"})"), "\"max_tokens\""));
  CHECK(has(error_of(R"({"model":"m","messages":[],"max_tokens":-1})"), "\"max_tokens\""));
  CHECK(has(error_of(R"({"model":"m","messages":[],"max_tokens":10000001})"), "10000000"));
  CHECK(has(error_of(R"({"model":"m","messages":[],"n":129})"), "from 0 to 128"));
  CHECK(has(error_of(R"({"model":"m","model":"x","messages":[]})"), "duplicate"));
  for (const char* text : {"", "[]", "null", "{", R"({"model":"m","messages":[})", "{}x"}) {
    CAPTURE(text);
    CHECK_FALSE(error_of(text).empty());
  }
}

TEST_CASE("request body: nothing to change, nothing copied") {
  const std::string text = R"({"model":"m","messages":[]})";
  const std::shared_ptr<const ports::HttpBody> body = std::make_shared<ports::TextBody>(text);
  const auto result = read(text);
  REQUIRE(result.has_value());
  CHECK(body_for_node(body, *result, "m", true) == body);
  CHECK(body_for_node(body, *result, "m", false) == body);
}

TEST_CASE("request body: only the model's value changes, byte for byte") {
  CHECK(sent("{ \"a\" : 1.50e+3,\n \"model\" : \"m\" ,\"messages\":[ \"\\u00e9 m\" ]}\n", "Qwen/Q",
             true) ==
        "{ \"a\" : 1.50e+3,\n \"model\" : \"Qwen/Q\" ,\"messages\":[ \"\\u00e9 m\" ]}\n");
  CHECK(sent(R"({"messages":[{"model":"m"}],"model":"m"})", "x\"y", false) ==
        R"({"messages":[{"model":"m"}],"model":"x\"y"})");
  CHECK(sent(R"({"mod\u0065l":"\u006d","messages":[]})", "new", false) ==
        R"({"mod\u0065l":"new","messages":[]})");
}

TEST_CASE("request body: a stream is asked for its usage, unless it was asked already") {
  CHECK(sent(R"({"model":"m","messages":[],"stream":true })", "m", true) ==
        R"({"model":"m","messages":[],"stream":true ,"stream_options":{"include_usage":true}})");
  CHECK(sent(R"({"model":"m","stream_options":null,"messages":[],"stream":true})", "m", true) ==
        R"({"model":"m","stream_options":{"include_usage":true},"messages":[],"stream":true})");
  CHECK(sent(R"({"model":"m","stream_options":{},"messages":[],"stream":true})", "m", true) ==
        R"({"model":"m","stream_options":{"include_usage":true},"messages":[],"stream":true})");
  const std::string asked =
      R"({"model":"m","stream_options":{ "include_usage" : true },"messages":[],"stream":true})";
  CHECK(sent(asked, "m", true) == asked);
  const std::string whole = R"({"model":"m","messages":[],"stream":false})";
  CHECK(sent(whole, "m", true) == whole);
  const std::string stream = R"({"model":"m","messages":[],"stream":true})";
  CHECK(sent(stream, "m", false) == stream);
}

TEST_CASE("request body: include_usage false is replaced, the client's other options stay") {
  CHECK(sent(R"({"model":"m","messages":[],"stream":true,)"
             R"("stream_options":{"include_usage":false,"chunk":[1,{"a":"b"}]},"x":1})",
             "m", true) ==
        R"({"model":"m","messages":[],"stream":true,)"
        R"("stream_options":{"chunk":[1,{"a":"b"}],"include_usage":true},"x":1})");
}

TEST_CASE("request body: both edits at once, in either order") {
  CHECK(
      sent(R"({"stream_options":{"include_usage":false},"messages":[],"stream":true,"model":"m"})",
           "longer-name", true) ==
      R"({"stream_options":{"include_usage":true},"messages":[],"stream":true,)"
      R"("model":"longer-name"})");
  CHECK(sent(R"({"model":"m","messages":[],"stream":true})", "n", true) ==
        R"({"model":"n","messages":[],"stream":true,"stream_options":{"include_usage":true}})");
}

TEST_CASE("request body: what was edited reads as asked") {
  const std::string body = sent(R"({"model":"m","messages":["x"],"stream":true})", "通义", true);
  const auto again = read(body);
  REQUIRE(again.has_value());
  CHECK(again->model == "通义");
  CHECK(again->wants_usage);
  CHECK(again->prompt_bytes == 5);
}
