#include "firmware/sense/calibration_fit.h"

#include <doctest/doctest.h>

#include "firmware/sense/card_facts.h"
#include "firmware/sense/decode_window.h"
#include "tests/script/memory.h"

using namespace sluice;
using namespace sluice::sense;

namespace {

std::vector<DecodeWindow> windows(double base, double per_seq, double per_kv, double noise) {
  script::SimRandom chance(7);
  std::vector<DecodeWindow> all;
  for (int n = 1; n <= 256; n *= 2) {
    for (const double progress : {256.0, 768.0}) {
      const double kv = n * (1024 + progress);
      const double error = 1 + noise * (chance.below(2001) - 1000) / 1000.0;
      all.push_back({static_cast<double>(n), kv, (base + per_seq * n + per_kv * kv) * error});
    }
  }
  return all;
}

PrefillTrial trial(int64_t prompt, int64_t chunk, double us_per_token, double quiet) {
  PrefillTrial one;
  one.prompt_tokens = prompt;
  one.quiet_us = quiet;
  one.steps_us.push_back(quiet);  // the step that was under way when it came
  for (int64_t left = prompt; left > 0; left -= chunk) {
    one.steps_us.push_back(quiet + us_per_token * static_cast<double>(std::min(left, chunk)));
  }
  return one;
}

}  // namespace

TEST_CASE("calibration fit: steps without a context term") {
  const auto fit = fit_decode(windows(7700, 280, 0, 0.01));
  REQUIRE(fit.has_value());
  CHECK(fit->base_us == doctest::Approx(7700).epsilon(0.02));
  CHECK(fit->per_seq_us == doctest::Approx(280).epsilon(0.02));
  CHECK(fit->per_kv_token_us * 1280 <= 280 * 0.05);
  CHECK(fit->spread < 0.01);
}

TEST_CASE("calibration fit: steps that grow with the context") {
  const auto fit = fit_decode(windows(7700, 100, 0.12, 0.002));
  REQUIRE(fit.has_value());
  CHECK(fit->base_us == doctest::Approx(7700).epsilon(0.02));
  CHECK(fit->per_seq_us == doctest::Approx(100).epsilon(0.15));
  CHECK(fit->per_kv_token_us == doctest::Approx(0.12).epsilon(0.15));
}

TEST_CASE("calibration fit: one load tells no slope, and steps that do not grow have none") {
  CHECK_FALSE(fit_decode({{4, 100, 5000}, {4, 200, 5100}}).has_value());
  CHECK_FALSE(fit_decode({{4, 100, 0}, {8, 200, 0}}).has_value());
  const auto flat = fit_decode({{1, 100, 840'000}, {8, 800, 840'000}, {32, 3200, 839'000}});
  REQUIRE(flat.has_value());
  CHECK(flat->per_seq_us == doctest::Approx(0).epsilon(0.01));
  CHECK(flat->base_us == doctest::Approx(840'000).epsilon(0.01));
}

TEST_CASE("calibration fit: rate and chunk from prompts of several sizes") {
  for (const int64_t chunk : {192, 416, 512, 2048, 3000}) {
    std::vector<PrefillTrial> trials;
    for (int64_t prompt = 512; prompt <= 8192; prompt *= 2) {
      trials.push_back(trial(prompt + 7, chunk, 200, 8000));
    }
    const auto fit = fit_prefill(trials);
    REQUIRE(fit.has_value());
    CAPTURE(chunk);
    CHECK(fit->us_per_token == doctest::Approx(200).epsilon(0.001));
    CHECK(fit->chunk_tokens == doctest::Approx(chunk).epsilon(0.01));
    CHECK_FALSE(fit->is_at_least);
  }
}

TEST_CASE("calibration fit: a prompt that was never cut says at least how long a chunk is") {
  const auto fit = fit_prefill({trial(512, 16384, 125, 6000), trial(8192, 16384, 125, 6000)});
  REQUIRE(fit.has_value());
  CHECK(fit->is_at_least);
  CHECK(fit->chunk_tokens == 8192);
  CHECK_FALSE(fit_prefill({}).has_value());
  CHECK_FALSE(fit_prefill({{512, 6000, {6000, 5990}}}).has_value());
}

TEST_CASE("decode window: only while all decode, in two halves") {
  std::vector<std::vector<Instant>> came(3);
  for (int stream = 0; stream < 3; ++stream) {
    for (int token = 0; token < 60; ++token) {
      came[static_cast<size_t>(stream)].push_back(
          Instant::from_us(1'000'000 + stream * 100'000 + token * 10'000));
    }
  }
  const auto found = decode_windows({{&came[0], 1}, {&came[1], 1}, {&came[2], 1}}, 1000);
  REQUIRE(found.size() == 2);
  CHECK(found[0].sequences == 3);
  CHECK(found[0].step_us == doctest::Approx(10'000));
  CHECK(found[0].kv_tokens == doctest::Approx(3000 + 3 * 20).epsilon(0.01));
  CHECK(found[1].kv_tokens > found[0].kv_tokens);
  // The last began when the first had ended: never all three.
  for (Instant& at : came[2]) at = at + Duration::seconds(1);
  CHECK(decode_windows({{&came[0], 1}, {&came[1], 1}, {&came[2], 1}}, 1000).empty());
}

TEST_CASE("cards: what was written is what is read, and what is absurd is refused") {
  CardFacts card;
  card.node = "gpu";
  card.url = "http://10.0.0.5:8000";
  card.model = "qwen";
  card.measured = Date::from_us(1'795'000'000'000'000);
  card.prompt = {1024};
  card.output = {1024};
  card.step = {7700.5, 280.25, 0.125, 200.5, 416, 256, 0.0125};
  card.levels = {{1, 125.5, Duration::ms(210), Duration::ms(211), Duration::us(7980)}};
  card.ended = "the time for it was up";
  const auto read = read_cards(write_cards({card}));
  REQUIRE(read.has_value());
  CHECK(*read == std::vector<CardFacts>{card});
  const std::string good = write_cards({card});
  struct Spoiled {
    std::string_view what;
    std::string_view instead;
  };
  for (const Spoiled& spoiled : {Spoiled{"\"version\":1", "\"version\":9"},
                                 {"7700.5", "-7700.5"},
                                 {"416", "-416"},
                                 {"\"gpu\"", "\"\""},
                                 {"\"cards\"", "\"birds\""},
                                 {"\"concurrency\":1", "\"concurrency\":0"}}) {
    std::string bad = good;
    const size_t at = bad.find(spoiled.what);
    REQUIRE(at != std::string::npos);
    bad.replace(at, spoiled.what.size(), spoiled.instead);
    CAPTURE(spoiled.instead);
    CHECK_FALSE(read_cards(bad).has_value());
  }
}

TEST_CASE(
    "cards: a new one takes the place of the old, and the oldest goes when there are too many") {
  std::vector<CardFacts> cards;
  for (size_t i = 0; i < kCardsMax + 3; ++i) {
    CardFacts card;
    card.node = "n" + std::to_string(i);
    card.measured = Date::from_us(static_cast<int64_t>(i));
    keep_card(cards, card);
  }
  CHECK(cards.size() == kCardsMax);
  CHECK(cards.front().node == "n3");
  CardFacts again = cards.back();
  again.step.base_us = 5;
  keep_card(cards, again);
  CHECK(cards.size() == kCardsMax);
  CHECK(cards.back().step.base_us == 5);
}
