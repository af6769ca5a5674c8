#include "firmware/upstream/json_keys.h"

#include <doctest/doctest.h>

#include <string>

#include "firmware/upstream/usage.h"

using namespace sluice;
using namespace sluice::upstream;

namespace {

constexpr size_t kNone = std::string_view::npos;

// The text from the value on.
std::string value(std::string_view json, std::string_view key, size_t from = 0) {
  const size_t at = find_value(json, key, from);
  return at == kNone ? "none" : std::string(json.substr(at));
}

}  // namespace

TEST_CASE("json keys: the value of a key, whatever blanks stand between") {
  CHECK(value(R"({"a":1})", "a") == "1}");
  CHECK(value("{ \"a\" \r\n\t: \n 1}", "a") == "1}");
  CHECK(value(R"({"b":{"a":[2]}})", "a") == "[2]}}");
  CHECK(value(R"({"a":1,"a":2})", "a", 5) == "2}");
}

TEST_CASE("json keys: text that looks like a key is none") {
  CHECK(value(R"({"x":"a"})", "a") == "none");
  CHECK(value(R"({"x":"\"a\":1"})", "a") == "none");
  CHECK(value(R"({"x":"say \"a\": 1","a":3})", "a") == "3}");
  CHECK(value(R"({"xa":1,"ax":2,"\"a":4})", "a") == "none");
  CHECK(value(R"(["a",1])", "a") == "none");
  CHECK(value(R"({"x":"ends with \\","a":5})", "a") == "5}");
}

TEST_CASE("json keys: text that ends early has no value") {
  const std::string json = R"({"usage" : {)";
  for (size_t size = 0; size < json.size(); ++size) {
    CHECK(find_value(std::string_view(json).substr(0, size), "usage") == kNone);
  }
  CHECK(find_value(json, "usage") == json.size() - 1);
  CHECK(find_value("", "usage") == kNone);
  CHECK(find_last_value("", "usage") == kNone);
}

TEST_CASE("json keys: the last of several") {
  const std::string json = R"({"u":1,"v":{"u":2},"w":"u","z":"\"u\":9"})";
  CHECK(json[find_last_value(json, "u")] == '2');
  CHECK(find_last_value(json, "none") == kNone);
  CHECK(find_last_value("u\":1", "u") == kNone);
}

TEST_CASE("json keys: strings and objects are taken whole or not at all") {
  CHECK(string_at(R"("a\"b" c)", 0) == R"("a\"b")");
  CHECK(string_at(R"("a\\" c)", 0) == R"("a\\")");
  CHECK(string_at(R"("open)", 0).empty());
  CHECK(string_at(R"("open\")", 0).empty());
  CHECK(string_at("x", 0).empty());
  CHECK(string_at("x", 9).empty());
  CHECK(object_at(R"({"a":{"}":"{"}} tail)", 0) == R"({"a":{"}":"{"}})");
  CHECK(object_at(R"({"a":{)", 0).empty());
  CHECK(object_at(R"({"a":"})", 0).empty());
  CHECK(object_at("[1]", 0).empty());
}

TEST_CASE("usage: counts as the node reports them") {
  const auto usage = read_usage(
      R"({"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,
          "prompt_tokens_details":{"cached_tokens":6}})");
  REQUIRE(usage.has_value());
  CHECK(usage->in.count == 10);
  CHECK(usage->out.count == 4);
  CHECK(usage->cached.count == 6);
  CHECK(read_usage(R"({"prompt_tokens":10})")->out.count == 0);
  CHECK(read_usage(R"({"prompt_tokens":10,"prompt_tokens_details":null})")->cached.count == 0);
  CHECK_MESSAGE(
      read_usage(R"({"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":9}})")->cached ==
          Tokens{3},
      "no more can be cached than came in");
}

TEST_CASE("usage: what is none is not read as one") {
  for (const char* text :
       {"", "null", "[]", "{}", "{\"prompt_tokens\":-1}", "{\"prompt_tokens\":1",
        "{\"completion_tokens\":1}", "{\"prompt_tokens\":1,\"completion_tokens\":-5}"}) {
    CAPTURE(text);
    CHECK_FALSE(read_usage(text).has_value());
  }
}
