#include "firmware/ports/json_scan.h"

#include <doctest/doctest.h>

#include "firmware/ports/json.h"

using namespace sluice;
using ports::JsonScan;
using ports::read_json_string;
using ports::scan_json_object;
using ports::write_json_string;

namespace {

JsonScan scanned(std::string_view text) {
  auto scan = scan_json_object(text);
  REQUIRE_MESSAGE(scan.has_value(), scan.error().text);
  return *std::move(scan);
}

std::string refusal(std::string_view text) {
  auto scan = scan_json_object(text);
  REQUIRE_FALSE(scan.has_value());
  CHECK(scan.error().kind == ErrorKind::refused);
  return scan.error().text;
}

std::string_view value_of(const JsonScan& scan, std::string_view text, std::string_view key) {
  const ports::JsonMember* member = scan.find(key);
  REQUIRE(member != nullptr);
  return text.substr(member->value_begin, member->value_size);
}

std::string object_with(size_t members) {
  std::string text = "{";
  for (size_t i = 0; i < members; ++i) {
    text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":" + std::to_string(i);
  }
  return text + "}";
}

std::string nested(int depth, std::string_view inside) {  // the object is the first level
  const auto n = static_cast<size_t>(depth - 1);
  return "{\"a\":" + std::string(n, '[') + std::string(inside) + std::string(n, ']') + "}";
}

}  // namespace

TEST_CASE("json scan: every member's place in the text") {
  const std::string_view text =
      " { \"model\" : \"big\\\"one\\\\\" , "
      "\"stream\":true,\n\"messages\":[{\"c\":\"a]}\\\"{[\"},[]] "
      ",\"t\": -1.5e3 ,\"o\":{\"x\":{}},\"n\":null } \n";
  const JsonScan scan = scanned(text);
  REQUIRE(scan.members.size() == 6);
  CHECK(value_of(scan, text, "model") == "\"big\\\"one\\\\\"");
  CHECK(value_of(scan, text, "stream") == "true");
  CHECK(value_of(scan, text, "messages") == "[{\"c\":\"a]}\\\"{[\"},[]]");
  CHECK(value_of(scan, text, "t") == "-1.5e3");
  CHECK(value_of(scan, text, "o") == "{\"x\":{}}");
  CHECK(value_of(scan, text, "n") == "null");
  CHECK(scan.members[0].key_begin == 3);
  CHECK(text[scan.close_brace] == '}');
  CHECK(text.substr(scan.close_brace) == "} \n");
  CHECK(scan.find("absent") == nullptr);
}

TEST_CASE("json scan: an empty object has no members") {
  CHECK(scanned("{}").members.empty());
  CHECK(scanned("{}").close_brace == 1);
  CHECK(scanned(" {\n} ").close_brace == 3);
}

TEST_CASE("json scan: keys are unescaped") {
  const std::string_view text = R"({"mo\u0064el":1,"\u4e2d\n":2,"":3})";
  const JsonScan scan = scanned(text);
  CHECK(value_of(scan, text, "model") == "1");
  CHECK(value_of(scan, text, "\u4e2d\n") == "2");
  CHECK(value_of(scan, text, "") == "3");
}

TEST_CASE("json scan: a top-level key given twice is refused, however it is spelled") {
  CHECK(refusal(R"({"model":"a","model":"b"})") == "duplicate key \"model\" at byte 13");
  CHECK(refusal(R"({"model":"a","m\u006fdel":"b"})") == "duplicate key \"model\" at byte 13");
  CHECK(scanned(R"({"a":{"x":1,"x":2}})").members.size() == 1);
}

TEST_CASE("json scan: what is not one JSON object is refused") {
  CHECK(refusal("").find("byte 0") != std::string::npos);
  CHECK(refusal(" \n").find("empty") != std::string::npos);
  CHECK(refusal(" [1]") == "not a JSON object at byte 1");
  CHECK(refusal("1") == "not a JSON object at byte 0");
  CHECK(refusal(R"({"a":1)") == "the text ends too early at byte 6");
  CHECK(refusal(R"({"a":1}{"b":2})") == "not valid JSON at byte 7");
  CHECK(refusal("{\"a\":\"\xc0\xaf\"}").find("not valid JSON at byte") == 0);
  CHECK(refusal("\xef\xbb\xbf{}").find("byte order mark") != std::string::npos);
  CHECK(refusal(std::string_view("{}\0", 3)).find("byte 2") != std::string::npos);
  for (std::string_view text :
       {"{\"a\":01}", "{\"a\":.5}", "{\"a\":1,}", "{,}", "{\"a\"}", "{a:1}", "{\"a\":'x'}",
        "{\"a\":[1}", "{\"a\":\"\\x\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\n\"}", "{\"a\":nul}",
        "{\"a\":{\"b\":[1,2,]}}", "{\"a\":1 \"b\":2}", "{\"a\":1e999}",
        "{\"a\":99999999999999999999}"}) {
    INFO(text);
    CHECK_FALSE(scan_json_object(text).has_value());
  }
}

TEST_CASE("json scan: depth and members are bounded exactly") {
  CHECK(scanned(nested(ports::kJsonDepthMax, "")).members.size() == 1);
  CHECK(scanned(nested(ports::kJsonDepthMax, "1")).members.size() == 1);
  CHECK(refusal(nested(ports::kJsonDepthMax + 1, "")).find("deep") != std::string::npos);
  CHECK(refusal(nested(ports::kJsonDepthMax + 1, "1")).find("deep") != std::string::npos);
  CHECK(scanned(object_with(ports::kJsonMembersMax)).members.size() == ports::kJsonMembersMax);
  CHECK(refusal(object_with(ports::kJsonMembersMax + 1)).find("more than 256 members") == 0);
}

TEST_CASE("json scan: sizes around the internal buffer give the same answer") {
  for (size_t size : {1u, 4000u, 4080u, 4096u, 4097u, 100000u}) {
    const std::string text = "{\"p\":\"" + std::string(size, 'x') + "\",\"q\":1}";
    const JsonScan scan = scanned(text);
    CHECK(value_of(scan, text, "p").size() == size + 2);
    CHECK(value_of(scan, text, "q") == "1");
    CHECK_FALSE(scan_json_object(text.substr(0, text.size() - 1)).has_value());
  }
}

TEST_CASE("json scan: strings are read and written") {
  CHECK(*read_json_string(R"("a\n\"\u4e2d\ud83d\ude00\/")") == "a\n\"\u4e2d\U0001F600/");
  CHECK(*read_json_string("\"\"") == "");
  for (std::string_view text : {"", "\"", "a", "1", "null", "\"a\" ", " \"a\"", "\"a\"b\"",
                                "\"\\\"", "\"\xff\"", "[\"a\"]"}) {
    INFO(text);
    auto value = read_json_string(text);
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().kind == ErrorKind::refused);
  }
  CHECK(write_json_string("a\"b\\\n\x02") == "\"a\\\"b\\\\\\n\\u0002\"");
  CHECK(write_json_string("\u4e2d") == "\"\u4e2d\"");
  CHECK(write_json_string("x\xff") == "\"x\uFFFD\"");
  CHECK(*read_json_string(write_json_string("tab\t\x7f\u2028")) == "tab\t\x7f\u2028");
}
