#include "firmware/rehearse/journal_arrivals.h"

#include <doctest/doctest.h>

#include <string>

#include "firmware/valve/journal.h"

using namespace sluice;
using namespace sluice::rehearse;

namespace {

std::string line(uint64_t id, int64_t at_us, const char* key, int64_t prompt, int64_t output_max) {
  valve::Decision decision;
  decision.ask.id = id;
  decision.ask.key = key;
  decision.ask.model = "m";
  decision.ask.arrived = Instant::from_us(at_us);
  decision.ask.prompt_tokens.count = prompt;
  decision.ask.output_tokens_max.count = output_max;
  return valve::decision_line(decision, valve::policy_id(decision.policy));
}

std::string journal(const std::string& lines) {
  return std::string(valve::kJournalHead) + valve::policy_line({}) + lines;
}

}  // namespace

TEST_CASE("journal arrivals: a request that was decided twice came once, at its arrival") {
  const std::string text = journal(line(7, 5000, "a", 100, 0) + line(8, 6000, "b", 50, 30) +
                                   line(7, 5000, "a", 100, 0) + line(9, 9000, "a", 60, 0));
  REQUIRE(is_journal(text));
  const auto made = trace_of_journal(text, {{7, 40}, {9, 60}}, Tokens{256});
  REQUIRE(made.has_value());
  CHECK(made->answers_known == 2);
  // Of the second nothing is known: the mean of the others, but no more than it allowed.
  CHECK(made->trace == Trace{{0, 0, 100, 40, {}}, {1000, 1, 50, 30, {}}, {4000, 0, 60, 60, {}}});
}

TEST_CASE("journal arrivals: without a ledger answers are as long as is usual") {
  const auto made = trace_of_journal(journal(line(7, 5000, "a", 100, 0)), {}, Tokens{256});
  REQUIRE(made.has_value());
  CHECK(made->answers_known == 0);
  CHECK(made->trace.at(0).output_tokens == 256);
}

TEST_CASE("journal arrivals: a bad line is told; one that was being written is left out") {
  const std::string good = journal(line(7, 5000, "a", 100, 0));
  const auto bad = trace_of_journal(good + "decision x\n", {}, Tokens{256});
  REQUIRE(!bad.has_value());
  CHECK(bad.error().text.starts_with("line 4: "));
  const auto cut = trace_of_journal(good + "decision x", {}, Tokens{256});
  REQUIRE(cut.has_value());
  CHECK(cut->trace.size() == 1);
  CHECK(!is_journal("t_s,client,input_tokens,output_tokens\n"));
}
