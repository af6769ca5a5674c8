#include "firmware/ports/json.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace sluice;
using ports::JsonValue;
using ports::parse_json;
using ports::to_json;

namespace {

JsonValue parsed(std::string_view text) {
  auto value = parse_json(text);
  REQUIRE_MESSAGE(value.has_value(), value.error().text);
  return *std::move(value);
}

std::string fault(std::string_view text) {
  auto value = parse_json(text);
  REQUIRE_FALSE(value.has_value());
  CHECK(value.error().kind == ErrorKind::broken);
  return value.error().text;
}

std::string nested(int depth, std::string_view inside) {
  const auto n = static_cast<size_t>(depth);
  return std::string(n, '[') + std::string(inside) + std::string(n, ']');
}

}  // namespace

TEST_CASE("json: every kind of value is read") {
  const JsonValue value = parsed(
      R"( {"t":true,"f":false,"n":null,"i":-42,"d":2.5,"s":"a\n\u4e2d\ud83d\ude00","a":[1,[],{}],"o":{"k":"v"}} )");
  CHECK(value.boolean("t"));
  CHECK_FALSE(value.boolean("f", true));
  REQUIRE(value.find("n") != nullptr);
  CHECK(value.find("n")->is_null());
  CHECK(value.integer("i") == -42);
  CHECK(value.number("d") == 2.5);
  CHECK(value.text("s") == "a\n\u4e2d\U0001F600");
  REQUIRE(value.find("a")->as_array() != nullptr);
  CHECK(value.find("a")->as_array()->size() == 3);
  CHECK(value.find("o")->text("k") == "v");
}

TEST_CASE("json: members keep their order") {
  const JsonValue value = parsed(R"({"z":1,"a":2,"m":3})");
  REQUIRE(value.as_object()->size() == 3);
  CHECK((*value.as_object())[0].first == "z");
  CHECK((*value.as_object())[2].first == "m");
  CHECK(to_json(value) == R"({"z":1,"a":2,"m":3})");
}

TEST_CASE("json: whole numbers are whole within 64 bits, and refused beyond") {
  CHECK(*parsed("9223372036854775807").as_integer() == std::numeric_limits<int64_t>::max());
  CHECK(*parsed("-9223372036854775808").as_integer() == std::numeric_limits<int64_t>::min());
  CHECK(*parsed("18446744073709551615").as_double() == 18446744073709551615.0);
  CHECK(fault("18446744073709551616").find("beyond 64 bits") != std::string::npos);
  CHECK(fault("1e999").find("too large") != std::string::npos);
  CHECK(*parsed("1.0").as_double() == 1.0);
  CHECK(parsed("1.0").as_integer() == nullptr);
}

TEST_CASE("json: a key given twice is refused where it stands") {
  CHECK(fault(R"({"a":1,"a":2})") == "duplicate key \"a\" at byte 7");
  CHECK(fault(R"({"a":1,"\u0061":2})") == "duplicate key \"a\" at byte 7");
  CHECK(fault(R"([{"a":{"b\"":1,"b\"":2}}])") == "duplicate key \"b\\\"\" at byte 15");
  std::string many = "{";
  for (int i = 0; i < 40; ++i) many += "\"k" + std::to_string(i) + "\":0,";
  CHECK(parsed(many + "\"last\":0}").as_object()->size() == 41);
  CHECK(fault(many + "\"k3\":0}").find("\"k3\"") != std::string::npos);
  CHECK(fault(many + "\"k39\":0}").find("\"k39\"") != std::string::npos);
}

TEST_CASE("json: nesting is bounded") {
  CHECK(parsed(nested(ports::kJsonDepthMax, "1")).as_array() != nullptr);
  CHECK(fault(nested(ports::kJsonDepthMax + 1, "")) == "nested more than 64 deep at byte 64");
  CHECK(fault(std::string(1000000, '[')).find("deep") != std::string::npos);
}

TEST_CASE("json: broken text is refused with its offset and without its content") {
  CHECK(fault("") == "the text ends too early at byte 0");
  CHECK(fault(R"({"a":1)") == "the text ends too early at byte 6");
  CHECK(fault(R"({"a":tru})") == "not valid JSON at byte 8");
  CHECK(fault(R"({"a":1}})") == "not valid JSON at byte 7");
  CHECK(fault("{\"a\":\"\xff\"}") == "not valid JSON at byte 6");
  CHECK(fault("\xef\xbb\xbf{}") == "a byte order mark at byte 0");
  CHECK(fault(std::string_view("{}\0x", 4)) == "a NUL at byte 2");
  CHECK(fault(R"(["\ud800"])").find("not valid JSON") == 0);
  CHECK(fault(R"(["\udc00"])").find("not valid JSON") == 0);
  for (std::string_view text : {"01", "-", "+1", ".5", "1.", "NaN", "'a'", "[1,]", "{\"a\"}",
                                "{a:1}", "/*c*/1", "\"\t\"", "[1 2]"}) {
    INFO(text);
    CHECK_FALSE(parse_json(text).has_value());
  }
  CHECK(fault(R"({"prompt":"secret words" oops})").find("secret") == std::string::npos);
}

TEST_CASE("json: what is written is one line of valid UTF-8") {
  JsonValue value =
      JsonValue::object({{"text", "a\n\"\\\x01"}, {"zh", "\u4e2d"}, {"bad", "x\xff"}});
  value.add("nan", std::nan(""));
  value.add("inf", std::numeric_limits<double>::infinity());
  value.add("real", 0.1);
  value.add("list", JsonValue(JsonValue::Array{true, JsonValue(), 7}));
  CHECK(to_json(value) ==
        "{\"text\":\"a\\n\\\"\\\\\\u0001\",\"zh\":\"\u4e2d\",\"bad\":\"x\uFFFD\",\"nan\":null,"
        "\"inf\":null,\"real\":0.1,\"list\":[true,null,7]}");
  CHECK(to_json(JsonValue()) == "null");
  CHECK(to_json(JsonValue::array()) == "[]");
  CHECK(to_json(JsonValue(JsonValue::Object{})) == "{}");
}

TEST_CASE("json: what is written reads back the same") {
  const std::string text =
      R"({"a":[1,-2.5,"x",null,true,{"b":[]}],"c":1e+300,"d":9007199254740993})";
  CHECK(to_json(parsed(text)) == text);
}
