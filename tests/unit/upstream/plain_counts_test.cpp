#include "firmware/upstream/plain_counts.h"

#include <doctest/doctest.h>

#include <string>

#include "firmware/upstream/json_keys.h"

using namespace sluice::upstream;

TEST_CASE("plain counts: whole numbers, words and objects one level deep are read") {
  const auto counts = PlainCounts::read(
      " { \"prompt_tokens\" : 64, \"completion_tokens\":16 ,\"cost\":null,\"is_byok\":false,"
      "\"prompt_tokens_details\":{\"cached_tokens\":-3,\"audio_tokens\":0},\"empty\":{}} ");
  REQUIRE(counts.has_value());
  CHECK(counts->integer("prompt_tokens") == 64);
  CHECK(counts->integer("completion_tokens") == 16);
  CHECK(counts->integer_in("prompt_tokens_details", "cached_tokens") == -3);
  CHECK(counts->has_number("completion_tokens"));
  CHECK_FALSE_MESSAGE(counts->has_number("cost"), "null is no number");
  CHECK_FALSE_MESSAGE(counts->has_number("cached_tokens"), "it stands inside");
  CHECK(counts->integer("absent") == 0);
}

TEST_CASE("plain counts: what is not plain, or not JSON, is left to the other reader") {
  for (const char* text : {"",
                           "{",
                           "[]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{\"a\":1}x",
                           "{\"a\":1 2}",
                           "{\"a\":01}",
                           "{\"a\":1.5}",
                           "{\"a\":1e3}",
                           "{\"a\":-}",
                           "{\"a\":\"1\"}",
                           "{\"a\":[1]}",
                           "{\"a\":nul}",
                           "{\"a\":1,\"a\":1}",
                           "{\"a\":{\"b\":{}}}",
                           "{\"a\":{\"b\":1,\"b\":1}}",
                           "{\"\":1}",
                           "{\"A\":1}",
                           "{\"a\\u0062\":1}",
                           "{\"a\":1234567890123456}",
                           "{\"a\":{\"b\":1}"}) {
    CAPTURE(text);
    CHECK_FALSE(PlainCounts::read(text).has_value());
  }
  std::string many = "{\"a\":0";
  for (size_t i = 0; i < PlainCounts::kMembersMax; ++i)
    many += ",\"" + std::string(i + 2, 'a') + "\":0";
  CHECK_FALSE(PlainCounts::read(many + "}").has_value());
}

TEST_CASE("json keys: one pass over the members finds what the search for each key finds") {
  uint64_t seed = 3;
  const auto draw = [&seed](size_t below) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return static_cast<size_t>(seed >> 33) % below;
  };
  const std::string pieces[] = {"\"",
                                ":",
                                " ",
                                "\\",
                                "{",
                                "}",
                                "content",
                                "text",
                                "a",
                                "\"content\"",
                                "\"text\":",
                                "\n",
                                "12",
                                "\\\"text\":1",
                                "\"text\" : \"b\""};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (size_t i = draw(14); i-- > 0;) text += pieces[draw(std::size(pieces))];
    CAPTURE(text);
    for (const std::string_view key : {"content", "text"}) {
      size_t wanted = find_value(text, key);
      for (MemberScan member(text); member.next();) {
        if (!member.is(key)) continue;
        CHECK(member.value() == wanted);
        wanted = find_value(text, key, wanted);
      }
      CHECK(wanted == std::string_view::npos);
    }
  }
}
