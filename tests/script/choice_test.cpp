// The choice among nodes as a client sees it: context, capabilities, and conversations that stay.
#include <doctest/doctest.h>

#include "tests/script/world.h"

namespace sluice::script {

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

void finish(World& w) {
  w.finish();
  CHECK(w.violations == std::vector<std::string>{});
}

template <class Change>
void change_nodes(World& w, Change change) {
  for (uint8_t i = 0; i < 3; ++i) {
    sense::NodeProfile profile = w.senses.node({i}).profile();
    change(i, profile);
    w.senses.node({i}).set_profile(profile);
  }
}

std::string talk(const std::string& text, std::string_view more = "") {
  return fmt::format(
      "{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]{}}}", text, more);
}

std::string words(size_t size, char first) {
  std::string made(1, first);
  while (made.size() < size) made += " word";
  return made;
}

// What a node answers that had so much of the prompt in its cache.
std::string answer_with_cached(int in, int cached) {
  return fmt::format(R"({{"choices":[],"usage":{{"prompt_tokens":{},"completion_tokens":1,)"
                     R"("prompt_tokens_details":{{"cached_tokens":{}}}}}}})",
                     in, cached);
}

void local_is_away(World& w) {
  for (uint8_t i = 1; i < 3; ++i) w.senses.node({i}).health(true, "", w.clock.now());
  change_nodes(w, [](uint8_t i, sense::NodeProfile& p) { p.enabled = i != 0; });
}

}  // namespace

TEST_CASE("choice: what is longer than every node's context is refused with the limit") {
  World w;
  change_nodes(w, [](uint8_t i, sense::NodeProfile& p) { p.context_max = {i == 2 ? 300 : 200}; });
  Client& client = w.ask("key-internal", talk(words(2600, 'a'), ",\"max_tokens\":40"));
  CHECK(client.status == 400);
  CHECK(contains(client.body, "\"context_length_exceeded\""));
  CHECK(contains(client.body, "is 300 tokens"));
  CHECK(w.local().count() + w.cheap().count() + w.dear().count() == 0);
  finish(w);
}

TEST_CASE("choice: a long prompt goes to the node that has room for it, even past home") {
  World w;
  change_nodes(w, [](uint8_t i, sense::NodeProfile& p) { p.context_max = {i == 2 ? 4000 : 300}; });
  w.ask("key-internal", talk(words(1800, 'a')));
  CHECK(w.local().count() + w.cheap().count() == 0);
  REQUIRE(w.dear().count() == 1);
  w.dear().last().answer(200, "{}");
  finish(w);
}

TEST_CASE("choice: images go where they are understood, or are refused by name") {
  const std::string image =
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url",)"
      R"("image_url":{"url":"https://x.example/a.png"}}]}]})";
  World w;
  change_nodes(w, [](uint8_t i, sense::NodeProfile& p) {
    p.offers = valve::FeatureSet();
    if (i == 2) p.offers.add(valve::Feature::vision);
  });
  w.ask("key-internal", image);
  CHECK(w.local().count() + w.cheap().count() == 0);
  REQUIRE(w.dear().count() == 1);
  w.dear().last().answer(200, "{}");
  change_nodes(w, [](uint8_t, sense::NodeProfile& p) { p.offers = valve::FeatureSet(); });
  Client& refused = w.ask("key-internal", image);
  CHECK(refused.status == 400);
  CHECK(contains(refused.body, "needs images (vision)"));
  Client& tools = w.ask("key-internal", chat(",\"tools\":[{\"type\":\"function\"}]"));
  CHECK(tools.status == 400);
  CHECK(contains(tools.body, "needs tools"));
  w.ask("key-internal", chat());
  REQUIRE(w.local().count() == 1);
  w.local().last().answer(200, "{}");
  finish(w);
}

TEST_CASE("choice: a key whose budget is used up stays where it costs nothing, or is told so") {
  World w;
  local_is_away(w);
  change_nodes(w, [](uint8_t i, sense::NodeProfile& p) {
    p.price_in_nano = p.price_out_nano = i * i * 1'000'000;
  });
  w.keys.keys["key-internal"].budget = {5'000'000};
  w.ask("key-internal", chat());
  w.cheap().last().answer(200, answer_with_cached(7, 0));  // 8 tokens: 8,000,000
  Client& refused = w.ask("key-internal", chat());
  CHECK(refused.status == 429);
  CHECK(contains(refused.body, "\"insufficient_quota\""));
  CHECK(refused.fields.get("x-should-retry") == "false");
  change_nodes(w, [](uint8_t, sense::NodeProfile& p) { p.enabled = true; });
  w.senses.node({0}).health(true, "", w.clock.now());
  w.ask("key-internal", chat());
  REQUIRE(w.local().count() == 1);  // free
  w.local().last().fail(ports::HttpFailure::Stage::connect);
  w.settle();
  CHECK(w.cheap().count() + w.dear().count() == 1);  // and nothing else after it
  w.add_key("key-other", identity::DataClass::internal);
  w.ask("key-other", chat());
  w.local().last().answer(200, "{}");
  finish(w);
}

TEST_CASE("choice: the budget of the box counts what all keys spend") {
  World w;
  local_is_away(w);
  change_nodes(w, [](uint8_t i, sense::NodeProfile& p) {
    p.price_in_nano = p.price_out_nano = i * i * 1'000'000;
  });
  w.proxy.policy.budget_per_month = {9'000'000};
  w.add_key("key-other", identity::DataClass::internal);
  w.ask("key-internal", chat());
  w.cheap().last().answer(200, answer_with_cached(7, 0));
  w.ask("key-other", chat());
  w.cheap().last().answer(200, answer_with_cached(7, 0));
  CHECK(w.meter.spent_in_all() == Money{16'000'000});
  Client& refused = w.ask("key-other", chat());
  CHECK(refused.status == 429);
  finish(w);
}

TEST_CASE("choice: a conversation stays with its cloud node, another goes where it likes") {
  World w;
  local_is_away(w);
  change_nodes(w, [](uint8_t i, sense::NodeProfile& p) {
    if (i > 0) p.price_in_nano = p.price_out_nano = 1000;
  });
  const std::string text = words(900, 'a');
  w.ask("key-internal", talk(text));
  const bool first_was_cheap = w.cheap().count() == 1;
  ScriptedClient& home = first_was_cheap ? w.cheap() : w.dear();
  home.last().answer(200, "{}");
  for (int turn = 1; turn <= 20; ++turn) {
    w.ask("key-internal", talk(text + words(static_cast<size_t>(turn) * 60, 'b')));
    REQUIRE(home.count() == 1 + turn);
    home.last().answer(200, "{}");
  }
  int strangers = 0;
  for (char c = 'c'; c < 's'; ++c) {
    w.ask("key-internal", talk(words(900, c)));
    ScriptedClient& other = first_was_cheap ? w.dear() : w.cheap();
    ScriptedClient& asked = home.last().is_live() ? home : other;
    strangers += &asked == &other ? 1 : 0;
    asked.last().answer(200, "{}");
  }
  CHECK(strangers > 0);
  finish(w);
}

TEST_CASE(
    "choice: a cache that is known to work is worth its price, until the engine begins anew") {
  World w;
  local_is_away(w);
  change_nodes(w, [](uint8_t i, sense::NodeProfile& p) {
    p.price_in_nano = i == 1 ? 1'000'000 : 1'500'000;
    p.price_out_nano = 1000;
  });
  const std::string text = words(1800, 'a');
  const auto ask_dear = [&](int cached) {  // the cheap one is away for this one
    w.proxy.nodes[valve::NodeId{1}].data.accepts_internal = false;
    w.ask("key-internal", talk(text));
    w.dear().last().answer(200, answer_with_cached(450, cached));
    w.proxy.nodes[valve::NodeId{1}].data.accepts_internal = true;
  };
  ask_dear(0);
  w.ask("key-internal", talk(text));
  REQUIRE(w.cheap().count() == 1);  // not known to work
  w.cheap().last().answer(200, answer_with_cached(450, 0));
  ask_dear(430);
  ask_dear(430);
  w.ask("key-internal", talk(text));
  CHECK(w.cheap().count() == 1);
  REQUIRE(w.dear().count() == 4);
  w.dear().last().answer(200, answer_with_cached(450, 430));
  w.senses.node({2}).health(false, "gone", w.clock.now());
  w.senses.node({2}).health(true, "", w.clock.now());
  w.senses.learn(w.clock.now());
  w.ask("key-internal", talk(text));
  REQUIRE(w.cheap().count() == 2);
  w.cheap().last().answer(200, "{}");
  finish(w);
}

}  // namespace sluice::script
