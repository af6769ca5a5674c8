#include "firmware/valve/rules/rules.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "firmware/valve/score.h"
#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

Policy by(Rule rule) {
  Policy policy;
  policy.rule = rule;
  return policy;
}

// One engine with a fresh reading, two cloud nodes.
View site(int in_flight = 0) {
  View view = view_of({local_node(in_flight, 0), cloud_node(1), cloud_node(2)});
  view.nodes[0].leased_until = kNow + Duration::seconds(1);
  view.nodes[0].kv_usage = 0.1;
  return view;
}

int first_of(const View& view, const Policy& policy, uint64_t id = 7, Draw draw = {}) {
  Ask ask = ask_for(view);
  ask.id = id;
  const Plan plan = decide_by_rule(ask, view, policy, draw);
  if (plan.verdict != Verdict::send) return -1;
  CHECK(plan.reason == Reason::by_rule);
  return plan.candidates.front().node.index;
}

}  // namespace

TEST_CASE("rules: predict is the valve's own decision") {
  Dice dice(5);
  for (int i = 0; i < 2000; ++i) {
    const View view = random_view(dice);
    const Ask ask = random_ask(dice, view);
    Policy policy = random_policy(dice);
    policy.rule = Rule::predict;
    const Draw draw{dice.next()};
    REQUIRE(decide_by_rule(ask, view, policy, draw) == decide(ask, view, policy, draw));
  }
}

TEST_CASE("rules: no rule sends where a request may not go, and none tries too often") {
  Dice dice(6);
  int sent = 0;
  for (int i = 0; i < 40'000; ++i) {
    const View view = random_view(dice);
    const Ask ask = random_ask(dice, view);
    Policy policy = random_policy(dice);
    policy.rule = static_cast<Rule>(dice.small(static_cast<int>(kRuleLast)));
    if (policy.rule == Rule::predict) continue;
    const Plan plan = decide_by_rule(ask, view, policy, {dice.next()});
    if (plan.verdict != Verdict::send) continue;
    ++sent;
    CAPTURE(to_text(policy.rule));
    REQUIRE(view.now < ask.deadline);
    REQUIRE(!plan.candidates.empty());
    REQUIRE(plan.candidates.size() <= static_cast<size_t>(std::max(1, policy.attempts_max)));
    NodeSet seen;
    for (const Candidate& candidate : plan.candidates) {
      const auto at = std::find_if(view.nodes.begin(), view.nodes.end(),
                                   [&](const NodeView& n) { return n.id == candidate.node; });
      REQUIRE(at != view.nodes.end());
      REQUIRE(bar_of(*at, ask, context_needed(ask, view)) == Bar::none);
      REQUIRE(!seen.has(candidate.node));
      seen.add(candidate.node);
      if (candidate.place == Place::local) continue;
      REQUIRE(!ask.stays_home);
      REQUIRE(policy.overflow);
      REQUIRE(policy.rule != Rule::local_only);
    }
  }
  CHECK(sent > 10'000);
}

TEST_CASE("rules: where no node is left the valve's own words say why") {
  View view = site();
  view.nodes[0].health = Health::down;
  Ask ask = ask_for(view);
  CHECK(decide_by_rule(ask, view, by(Rule::local_only), {}).reason == Reason::down_overflow_off);
  ask.stays_home = true;
  CHECK(decide_by_rule(ask, view, by(Rule::cloud_only), {}).reason == Reason::down_stays_home);
  ask.deadline = view.now;
  CHECK(decide_by_rule(ask, view, by(Rule::round_robin), {}).reason == Reason::past_deadline);
}

TEST_CASE("rules: local-only stays, cloud-only leaves, whatever the load") {
  for (const int in_flight : {0, 10, 500}) {
    CHECK(first_of(site(in_flight), by(Rule::local_only)) == 0);
    CHECK(first_of(site(in_flight), by(Rule::cloud_only)) != 0);
  }
  View view = site();
  view.nodes[1].in_flight = 3;
  CHECK(first_of(view, by(Rule::cloud_only)) == 2);
  Ask home = ask_for(view);
  home.stays_home = true;
  CHECK(decide_by_rule(home, view, by(Rule::cloud_only), {}).candidates.front().node.index == 0);
}

TEST_CASE("rules: round robin gives each its turn") {
  std::map<int, int> turns;
  for (uint64_t id = 1; id <= 30; ++id) ++turns[first_of(site(), by(Rule::round_robin), id)];
  CHECK(turns == std::map<int, int>{{0, 10}, {1, 10}, {2, 10}});
}

TEST_CASE("rules: the fewest in flight come first, equal ones by chance") {
  View view = site(4);
  view.nodes[1].in_flight = 5;
  view.nodes[2].in_flight = 3;
  CHECK(first_of(view, by(Rule::least_outstanding)) == 2);
  view.nodes[1].in_flight = 3;
  std::map<int, int> chosen;
  for (uint64_t draw = 0; draw < 1000; ++draw) {
    ++chosen[first_of(view, by(Rule::least_outstanding), 7, {draw})];
  }
  CHECK(chosen[0] == 0);
  CHECK(chosen[1] > 400);
  CHECK(chosen[2] > 400);
}

TEST_CASE("rules: the static threshold counts what is in flight") {
  Policy policy = by(Rule::static_threshold);
  policy.rule_concurrency = 10;
  CHECK(first_of(site(9), policy) == 0);
  CHECK(first_of(site(10), policy) != 0);
  View view = site(5);
  view.nodes[0].others = 5;
  CHECK(first_of(view, policy) != 0);
  view.nodes[0].leased_until = kNow - Duration::ms(1);
  CHECK(first_of(view, policy) == 0);
}

TEST_CASE("rules: queue and KV decide by the last reading, and an old one counts as full") {
  const Policy policy = by(Rule::queue_kv);
  View view = site(200);
  CHECK(first_of(view, policy) == 0);
  view.nodes[0].waiting = 4;
  CHECK(first_of(view, policy) == 0);
  view.nodes[0].waiting = 5;
  CHECK(first_of(view, policy) != 0);
  view.nodes[0].waiting = 0;
  view.nodes[0].kv_usage = 0.8;
  CHECK(first_of(view, policy) != 0);
  view = site();
  view.nodes[0].leased_until = kNow - Duration::ms(1);
  CHECK(first_of(view, policy) != 0);
  Policy strict = policy;
  strict.rule_queue = 0;
  view = site();
  CHECK(first_of(view, strict) == 0);
  view.nodes[0].waiting = 1;
  CHECK(first_of(view, strict) != 0);
}

TEST_CASE("rules: cache-aware follows the prompt until the load is out of balance") {
  View view = site(20);
  view.nodes[0].matched = {501};  // of 1,000
  CHECK(first_of(view, by(Rule::cache_aware)) == 0);
  view.nodes[0].matched = {500};
  CHECK(first_of(view, by(Rule::cache_aware)) != 0);
  view.nodes[0].matched = {1000};
  view.nodes[0].in_flight = 32;
  CHECK(first_of(view, by(Rule::cache_aware)) == 0);
  view.nodes[0].in_flight = 33;
  CHECK(first_of(view, by(Rule::cache_aware)) != 0);
  view.nodes[1].in_flight = view.nodes[2].in_flight = 1000;
  view.nodes[0].in_flight = 1033;  // more by 33, not by a tenth
  CHECK(first_of(view, by(Rule::cache_aware)) == 0);
}

TEST_CASE("rules: a beginning goes where it went before, within the bound of the load") {
  const Policy policy = by(Rule::prefix_hash);
  std::map<int, int> homes;
  for (uint64_t beginning = 1; beginning <= 3000; ++beginning) {
    const View view = site();
    Ask ask = ask_for(view);
    ask.beginning = beginning;
    const Plan first = decide_by_rule(ask, view, policy, {1});
    const Plan again = decide_by_rule(ask, view, policy, {2});
    REQUIRE(first.candidates.front().node == again.candidates.front().node);
    const uint8_t home = first.candidates.front().node.index;
    ++homes[home];
    // 10 in flight there and none elsewhere: the part of each is 11 / 3, the bound 5.
    View crowded = site();
    crowded.nodes[home].in_flight = 10;
    REQUIRE(decide_by_rule(ask, crowded, policy, {}).candidates.front().node.index != home);
    crowded.nodes[home].in_flight = 1;  // the part is 2 / 3, the bound 1
    REQUIRE(decide_by_rule(ask, crowded, policy, {}).candidates.front().node.index != home);
    crowded.nodes[(home + 1u) % 3].in_flight = 2;  // 4 / 3, 2
    REQUIRE(decide_by_rule(ask, crowded, policy, {}).candidates.front().node.index == home);
  }
  for (const auto& [home, count] : homes) CHECK(count > 800);
  CHECK(homes.size() == 3);
}

TEST_CASE("rules: each has a name of its own") {
  std::map<std::string, int> names;
  for (int i = 0; i <= static_cast<int>(kRuleLast); ++i) ++names[to_text(static_cast<Rule>(i))];
  CHECK(names.size() == static_cast<size_t>(kRuleLast) + 1);
  CHECK(names.count("") == 0);
}
