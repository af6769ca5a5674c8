#include "firmware/ports/json_stream_scan.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>

using namespace sluice;
using ports::JsonScan;
using ports::JsonStreamScan;

namespace {

Result<JsonScan> scan_in_pieces(std::string_view text, size_t piece) {
  JsonStreamScan scan;
  for (size_t at = 0; at < text.size(); at += piece) scan.feed(text.substr(at, piece));
  return scan.finish();
}

std::string shape(const Result<JsonScan>& scan) {
  if (!scan) return "refused";
  std::string shape = fmt::format("}}{}", scan->close_brace);
  for (const ports::JsonMember& member : scan->members) {
    shape += fmt::format(" {}@{}:{}+{}", member.key, member.key_begin, member.value_begin,
                         member.value_size);
  }
  return shape;
}

std::string nested(int depth) {
  return "{\"a\":" + std::string(static_cast<size_t>(depth), '[') +
         std::string(static_cast<size_t>(depth), ']') + "}";
}

}  // namespace

TEST_CASE("json stream scan: agrees with the scan of a whole text, however it is cut") {
  const std::array<std::string, 48> texts = {
      R"({})",
      R"( { "model" : "m" , "n" : 1 } )",
      R"({"":1,"a":{"a":[{},[],"]}"]},"b":"\"}{"})",
      R"({"m":"\u00e9\ud83d\ude00","k":-0.5e+10,"t":true,"f":false,"z":null})",
      "{\"\xe4\xb8\xad\xe6\x96\x87\":\"\xf0\x9f\x98\x80\",\"x\":\"\xc3\xa9\"}",
      R"({"a":0,"b":-0,"c":10,"d":1.0,"e":1e5,"f":1E-5})",
      R"({"mod\u0065l":"a","model":"b"})",
      R"({"a":1,"a":2})",
      R"({"":1,"":2})",
      R"([1])",
      R"("text")",
      R"()",
      R"(   )",
      R"({)",
      R"({"a")",
      R"({"a":)",
      R"({"a":1)",
      R"({"a":1,)",
      R"({"a":1,})",
      R"({"a":1}})",
      R"({"a":1} x)",
      R"({"a":1 "b":2})",
      R"({"a" 1})",
      R"({a:1})",
      R"({"a":[1,]})",
      R"({"a":[1}})",
      R"({"a":{"b"]})",
      R"({"a":01})",
      R"({"a":-})",
      R"({"a":1.})",
      R"({"a":1.e5})",
      R"({"a":1e})",
      R"({"a":1e+})",
      R"({"a":+1})",
      R"({"a":.5})",
      R"({"a":tru})",
      R"({"a":truee})",
      R"({"a":True})",
      R"({"a":"\x"})",
      R"({"a":"\u12g4"})",
      R"({"a":"\ud83d"})",
      R"({"a":"\ud83dx"})",
      R"({"a":"\ud83d\n"})",
      "{\"a\":\"\n\"}",
      "{\"a\":\"\xff\"}",
      "{\"a\":\"\xc0\xaf\"}",
      "{\"a\":\"\xed\xa0\x80\"}",
      "{\"a\":\"\xf4\x90\x80\x80\"}",
  };
  for (const std::string& text : texts) {
    CAPTURE(text);
    const std::string whole = shape(ports::scan_json_object(text));
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{1000}}) {
      CHECK(shape(scan_in_pieces(text, piece)) == whole);
    }
  }
}

TEST_CASE("json stream scan: the bounds are those of the scan of a whole text") {
  for (const std::string& text : {nested(ports::kJsonDepthMax - 1), nested(ports::kJsonDepthMax),
                                  "{\"" + std::string(ports::kJsonKeyMax - 2, 'k') + "\":1}",
                                  "{\"" + std::string(ports::kJsonKeyMax - 1, 'k') + "\":1}"}) {
    CHECK(shape(scan_in_pieces(text, 5)) == shape(ports::scan_json_object(text)));
  }
  std::string many = "{";
  for (size_t i = 0; i < ports::kJsonMembersMax; ++i) many += fmt::format("\"k{}\":{},", i, i);
  CHECK(scan_in_pieces(many.substr(0, many.size() - 1) + "}", 11).has_value());
  CHECK_FALSE(scan_in_pieces(many + "\"one\":1}", 11).has_value());
}

TEST_CASE("json stream scan: an error names its byte, and is known before the end") {
  JsonStreamScan scan;
  scan.feed("{\"a\":1,\"b\":x");
  REQUIRE(scan.fault().has_value());
  CHECK(scan.fault()->kind == ErrorKind::refused);
  CHECK(scan.fault()->text.find("at byte 11") != std::string::npos);
  scan.feed("}");
  CHECK_FALSE(scan.finish().has_value());
  const auto twice = scan_in_pieces(R"({"model":"m","model":"x"})", 4);
  REQUIRE_FALSE(twice.has_value());
  CHECK(twice.error().text == "duplicate key \"model\" at byte 13");
}
