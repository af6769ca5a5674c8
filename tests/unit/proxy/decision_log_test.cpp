#include "firmware/proxy/decision_log.h"

#include <doctest/doctest.h>

#include "firmware/valve/words.h"
#include "tests/script/memory.h"

namespace sluice::proxy {

namespace {

valve::Decision sent_to_cloud() {
  valve::Decision decision;
  decision.ask.model = "m";
  valve::NodeView node;
  node.id = {3};
  node.name = "cheap";
  node.place = valve::Place::cloud;
  decision.view.nodes = {node};
  decision.plan.verdict = valve::Verdict::send;
  decision.plan.reason = valve::Reason::local_tpot;
  decision.plan.level = 1.25;
  decision.plan.line = 8;
  valve::Candidate candidate;
  candidate.node = {3};
  candidate.place = valve::Place::cloud;
  candidate.forecast.ttft = Duration::ms(321);
  candidate.forecast.tpot = Duration::us(4567);
  decision.plan.candidates = {candidate};
  return decision;
}

}  // namespace

TEST_CASE("decision log: every decision reaches the journal, the last ones stay for people") {
  script::CountedDecisions journal;
  DecisionLog log(journal, 2);
  for (int i = 0; i < 5; ++i) log.add(sent_to_cloud(), "req-" + std::to_string(i), "lab", {});
  CHECK(journal.made.size() == 5);
  CHECK(journal.made.front().plan == sent_to_cloud().plan);
  CHECK(log.count() == 5);
  const auto kept = log.decisions(0, 100);
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].request == "req-4");
  CHECK(kept[0].sequence == 5);
  CHECK(kept[1].sequence == 4);
}

TEST_CASE("decision log: the newest come first, above a sequence, at most so many") {
  script::CountedDecisions journal;
  DecisionLog log(journal, 10);
  for (int i = 1; i <= 6; ++i) log.add(sent_to_cloud(), std::to_string(i), "lab", {});
  CHECK(log.decisions(6, 10).empty());
  CHECK(log.decisions(4, 10).size() == 2);
  const auto two = log.decisions(0, 2);
  REQUIRE(two.size() == 2);
  CHECK(two.back().sequence == 5);
  CHECK(log.decisions(0, 0).empty());
}

TEST_CASE("decision log: a report names the node, its forecast and the reason in two languages") {
  script::CountedDecisions journal;
  DecisionLog log(journal, 10);
  const valve::Decision decision = sent_to_cloud();
  log.add(decision, "req-1", "lab", Date::from_us(77));
  const DecisionReport report = log.decisions(0, 1).at(0);
  CHECK(report.at == Date::from_us(77));
  CHECK(report.model == "m");
  CHECK(report.key == "lab");
  CHECK(report.verdict == "send");
  CHECK(report.node == "cheap");
  CHECK(report.place == "cloud");
  CHECK(report.reason == "local_tpot");
  CHECK(report.level == 1.25);
  CHECK(report.line == 8);
  CHECK(report.ttft_ms == 321);
  CHECK(report.tpot_us == 4567);
  CHECK(report.words_en == valve::explain(decision.view, decision.plan, valve::Language::en));
  CHECK(report.words_zh == valve::explain(decision.view, decision.plan, valve::Language::zh));
  CHECK(report.words_en != report.words_zh);
}

TEST_CASE("decision log: what was not sent has no node") {
  script::CountedDecisions journal;
  DecisionLog log(journal, 10);
  valve::Decision held = sent_to_cloud();
  held.plan.verdict = valve::Verdict::hold;
  held.plan.candidates.clear();
  log.add(held, "req-1", "lab", {});
  CHECK(log.decisions(0, 1).at(0).verdict == "hold");
  CHECK(log.decisions(0, 1).at(0).node.empty());
}

TEST_CASE("decision log: it can be made shorter while it runs") {
  script::CountedDecisions journal;
  DecisionLog log(journal, 10);
  for (int i = 0; i < 10; ++i) log.add(sent_to_cloud(), "r", "lab", {});
  log.set_keep(3);
  log.add(sent_to_cloud(), "last", "lab", {});
  CHECK(log.decisions(0, 100).size() == 3);
  CHECK(log.decisions(0, 100).front().request == "last");
}

}  // namespace sluice::proxy
