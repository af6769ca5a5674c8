#include "firmware/valve/journal.h"

#include <doctest/doctest.h>

#include <limits>

#include "firmware/valve/rules/rules.h"
#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

Decision decided(Ask ask, View view, const Policy& policy, Draw draw) {
  Decision decision{std::move(ask), std::move(view), policy, draw, {}};
  decision.plan = decide_by_rule(decision.ask, decision.view, policy, draw);
  return decision;
}

Decision sample() {
  const View view = view_of({local_node(45), cloud_node()});
  return decided(ask_for(view), view, Policy(), {12345});
}

std::string text_of(const Decision& decision) {
  return decision_line(decision, policy_id(decision.policy));
}

// Reads `line` after the policy of sample(); the error's text, empty if it was read.
std::string error_of(const std::string& line) {
  JournalReader reader;
  REQUIRE(reader.read(policy_line(Policy())).has_value());
  const auto read = reader.read(line);
  if (read) return "";
  CHECK(read.error().kind == ErrorKind::broken);
  return read.error().text;
}

std::string with(std::string line, const std::string& from, const std::string& to) {
  const size_t at = line.find(from);
  REQUIRE(at != std::string::npos);
  return line.replace(at, from.size(), to);
}

bool is(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("journal: 10,000 random decisions are read back and decided again alike") {
  Dice dice(77);
  JournalReader reader;
  REQUIRE_FALSE(reader.read(kJournalHead)->has_value());
  for (int i = 0; i < 10'000; ++i) {
    const View view = random_view(dice);
    Ask ask = random_ask(dice, view);
    if (dice.one_in(3)) ask.model = "通义 千问%20\t\x01\x7f\n=";
    if (dice.one_in(5)) ask.key.clear();
    const Decision written = decided(ask, view, random_policy(dice), {dice.next()});
    REQUIRE_FALSE(reader.read(policy_line(written.policy))->has_value());
    const auto read = reader.read(text_of(written));
    if (!read) FAIL("case " << i << ": " << read.error().text);
    const Decision& back = read->value();
    const bool same = back.ask == written.ask && back.view == written.view &&
                      back.policy == written.policy && back.draw == written.draw &&
                      back.plan == written.plan;
    if (!same) FAIL("case " << i << ": not what was written");
    if (!(decide_by_rule(back.ask, back.view, back.policy, back.draw) == written.plan)) {
      FAIL("case " << i << ": decided differently");
    }
    if (text_of(back) != text_of(written)) FAIL("case " << i << ": written differently");
  }
}

TEST_CASE("journal: a line is one line of plain text") {
  View view = view_of({local_node()});
  view.nodes[0].name = "本地 一号\r\n100%";
  const std::string line = text_of(decided(ask_for(view), view, Policy(), {}));
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(line.find('\r') == std::string::npos);
  CHECK(is(line, " name=本地%20一号%0D%0A100%25 "));
  JournalReader reader;
  REQUIRE(reader.read(policy_line(Policy())).has_value());
  CHECK(reader.read(line)->value().view.nodes[0].name == "本地 一号\r\n100%");
}

TEST_CASE("journal: numbers at their limits are kept") {
  Decision decision = sample();
  decision.ask.may_use = NodeSet::from_bits(~uint64_t{0});
  decision.ask.id = std::numeric_limits<uint64_t>::max();
  decision.ask.prompt_tokens.count = std::numeric_limits<int64_t>::max();
  decision.draw.value = std::numeric_limits<uint64_t>::max();
  decision.view.nodes[0].share = 0.1 + 0.2;
  decision.plan.level = std::numeric_limits<double>::infinity();
  JournalReader reader;
  REQUIRE(reader.read(policy_line(Policy())).has_value());
  const auto read = reader.read(text_of(decision));
  REQUIRE(read.has_value());
  CHECK((*read)->ask == decision.ask);
  CHECK((*read)->draw == decision.draw);
  CHECK((*read)->view == decision.view);
  CHECK((*read)->plan == decision.plan);
}

TEST_CASE("journal: policies have ids of their own, and decisions find theirs") {
  Policy careful;
  careful.margin = 0.8;
  CHECK(policy_id(careful) != policy_id(Policy()));
  CHECK(policy_id(careful) == policy_id(careful));
  JournalReader reader;
  REQUIRE(reader.read(policy_line(Policy())).has_value());
  REQUIRE(reader.read(policy_line(careful)).has_value());
  CHECK(reader.read(text_of(sample()))->value().policy == Policy());
  Decision other = sample();
  other.policy = careful;
  CHECK(reader.read(text_of(other))->value().policy == careful);
}

TEST_CASE("journal: a line that cannot be replayed says why") {
  const std::string good = text_of(sample());
  CHECK(error_of(good).empty());
  CHECK(is(error_of(""), "neither policy nor decision"));
  CHECK(is(error_of("sluice decisions 1"), "neither policy nor decision"));
  CHECK(is(error_of("decision 1 2 ask"), "no policy line"));
  CHECK(is(error_of(with(good, " ask ", " question ")), "\"ask\" is missing"));
  CHECK(is(error_of(with(good, " view ", " sight ")), "\"view\" is missing"));
  CHECK(is(error_of(with(good, " plan ", " plot ")), "\"plan\" is missing"));
  CHECK(is(error_of(with(good, " model=", " modal=")), "field model is missing"));
  CHECK(is(error_of(with(good, " prompt=1000", " prompt=many")), "field prompt is not a number"));
  CHECK(is(error_of(with(good, " prompt=1000", " prompt=1000x")), "field prompt is not a number"));
  CHECK(is(error_of(with(good, " prompt=1000", " prompt=")), "field prompt is not a number"));
  CHECK(is(error_of(with(good, " stream=1", " stream=yes")), "field stream is not 0 or 1"));
  CHECK(is(error_of(with(good, " priority=1", " priority=3")), "field priority is out of range"));
  CHECK(is(error_of(with(good, " health=0", " health=-1")), "field health is out of range"));
  CHECK(is(error_of(with(good, " model=qwen3", " model=q%2")), "field model has a bad %XX"));
  CHECK(is(error_of(with(good, " model=qwen3", " model=q%zz3")), "field model has a bad %XX"));
  CHECK(is(error_of(with(good, " nodes=2", " nodes=65")), "field nodes is out of range"));
  CHECK(is(error_of(with(good, " nodes=2", " nodes=1")), "is missing"));
  CHECK(is(error_of(with(good, " points=2", " points=25")), "field points is out of range"));
  CHECK(is(error_of(with(good, " node=0", " node=64")), "field node is out of range"));
  CHECK(is(error_of(with(good, " node=0", " node=-1")), "field node is out of range"));
  CHECK(is(error_of(with(good, "\n", " more=1\n")), "text after the last field"));
  CHECK(is(error_of("decision" + std::string(kJournalLineMax, ' ')), "too long"));
  CHECK(is(error_of("policy x overflow=1"), "field policy id is not a number"));
  CHECK(is(error_of(with(policy_line(Policy()), "hold=1", "hold=2")), "field hold is not 0 or 1"));
}

TEST_CASE("journal: a line cut anywhere is an error, never a decision") {
  const std::string good = text_of(sample());
  JournalReader reader;
  REQUIRE(reader.read(policy_line(Policy())).has_value());
  int accepted = 0;
  for (size_t size = 0; size + 1 < good.size(); ++size) {
    const auto read = reader.read(std::string_view(good).substr(0, size));
    if (read) {
      // Only digits of the very last number may be missing unnoticed.
      CHECK(size > good.rfind('='));
      ++accepted;
    } else {
      CHECK_FALSE(read.error().text.empty());
    }
  }
  CHECK(accepted <= 2);
}

TEST_CASE("journal: garbled lines never harm") {
  const std::string good = text_of(sample());
  Dice dice(3);
  JournalReader reader;
  REQUIRE(reader.read(policy_line(Policy())).has_value());
  int refused = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string line = good;
    for (int edits = 1 + dice.small(3); edits > 0; --edits) {
      const size_t at = static_cast<size_t>(dice.upto(static_cast<int64_t>(line.size()) - 1));
      if (dice.one_in(3)) {
        line.erase(at, 1 + static_cast<size_t>(dice.upto(40)));
        if (line.empty()) line = " ";
      } else {
        line[at] = static_cast<char>(dice.small(255));
      }
    }
    refused += reader.read(line) ? 0 : 1;
  }
  CHECK(refused > 2500);
}
