#include "firmware/box/calibration_text.h"

#include <doctest/doctest.h>

#include "firmware/base/text.h"

using namespace sluice;
using namespace sluice::box;

namespace {

// H20 x 4 as published: 7.7 ms, 0.28 ms an answer, 0.2 ms a prompt token.
sense::CardFacts card(int64_t chunk) {
  sense::CardFacts card;
  card.node = "gpu";
  card.model = "qwen";
  card.measured = Date::from_us(1'795'000'000'000'000);
  card.prompt = {1024};
  card.output = {1024};
  card.step = {7700, 280, 0, 200, chunk, 256, 0.01};
  for (int n = 1; n <= 256; n *= 2) {
    const Duration tpot = Duration::us(7700 + 280 * n);
    card.levels.push_back(
        {n, n / tpot.as_seconds(), Duration::ms(210 * n / 2 + 200), Duration::ms(210 * n), tpot});
  }
  card.ended = "the tokens for it were spent";
  return card;
}

size_t widest(const std::string& text) {
  size_t most = 0;
  for (const std::string_view line : split(text, '\n')) most = std::max(most, line.size());
  return most;
}

}  // namespace

TEST_CASE(
    "calibration text: a chunk that makes the service level unreachable is named, and one that "
    "does not") {
  const std::string bad = calibration_words(card(2048), {});
  CHECK(bad.find("takes 426 ms; 100 ms") != std::string::npos);
  CHECK(bad.find("CANNOT BE KEPT") != std::string::npos);
  CHECK(bad.find("--max-num-batched-tokens 416") != std::string::npos);
  const std::string good = calibration_words(card(416), {});
  CHECK(good.find("CANNOT BE KEPT") == std::string::npos);
  CHECK(good.find("no hindrance") != std::string::npos);
  sense::CardFacts slow = card(2048);
  slow.step.base_us = 200'000;
  CHECK(calibration_words(slow, {}).find("No size of pieces keeps that") != std::string::npos);
}

TEST_CASE("calibration text: fits into 80 columns, whatever the figures") {
  sense::CardFacts one = card(2048);
  one.levels.push_back(
      {512, 123456.0, Duration::seconds(987), Duration::seconds(999), Duration::ms(99'999)});
  one.step.per_kv_token_us = 1.5;
  one.chunk_is_at_least = true;
  one.ended =
      "with 512 at a time the engine answered 503: too many requests are waiting already, "
      "please come back later";
  CHECK(widest(calibration_chart(one, {})) <= 80);
  CHECK(widest(calibration_words(one, {})) <= 80);
}

TEST_CASE("calibration text: what is beyond the promise is drawn otherwise") {
  const std::string chart = calibration_chart(card(416), {});
  for (const std::string_view line : split(chart, '\n')) {
    if (line.starts_with("  16 ")) CHECK(line.find('!') == std::string_view::npos);
    if (line.starts_with(" 256 ")) CHECK(line.find('!') != std::string_view::npos);
  }
}
