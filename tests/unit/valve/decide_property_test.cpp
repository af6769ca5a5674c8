// What must hold of every plan, whatever the nodes look like.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>

#include "firmware/valve/decide.h"
#include "firmware/valve/words.h"
#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

constexpr int kCases = 100'000;

const NodeView* find(const View& view, NodeId id) {
  for (const NodeView& node : view.nodes) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

// Empty if the plan is sound. Plain conditions: a doctest assertion is too slow for so many.
std::string fault_of(const Ask& ask, const View& view, const Policy& policy, const Plan& plan) {
  if ((plan.verdict == Verdict::send) == plan.candidates.empty()) return "send without candidates";
  if (plan.candidates.size() > static_cast<size_t>(std::max(1, policy.attempts_max))) {
    return "more candidates than attempts";
  }
  if (plan.verdict == Verdict::hold && !policy.hold) return "held without a queue";
  if (plan.overflowing && !policy.overflow) return "overflows through a closed valve";
  NodeSet seen;
  for (const Candidate& candidate : plan.candidates) {
    const NodeView* node = find(view, candidate.node);
    if (node == nullptr || node->place != candidate.place) return "a node that is not there";
    if (!ask.may_use.has(candidate.node)) return "a node that may not be used";
    if (node->health == Health::down) return "a node that is down";
    if (node->health == Health::probing && node->in_flight > 0) return "a second trial";
    if (seen.has(candidate.node)) return "the same node twice";
    seen.add(candidate.node);
    if (candidate.place == Place::cloud && !policy.overflow) return "cloud, the valve is closed";
    if (candidate.place == Place::cloud && ask.stays_home) return "home-only data in the cloud";
    if (ask.over_budget && node->price_out_nano > 0) return "costs beyond the budget";
    if (!node->offers.covers(ask.needs)) return "cannot do what it needs";
    const Tokens least = ask.context - Tokens{ask.prompt_tokens.count / 2};
    const bool limited = ask.context.count > 0 && node->context_max.count > 0;
    if (limited && least > node->context_max) return "longer than its context";
    if (candidate.first_byte_max.as_us() <= 0) return "no time for a first byte";
    if (ask.stream && candidate.first_byte_max > policy.first_byte_max) return "too much time";
    if (view.now + candidate.first_byte_max > ask.deadline) return "beyond the deadline";
  }
  if (!plan.hedge_after.is_zero()) {
    if (!policy.hedge || !ask.stream || plan.candidates.size() < 2) return "a copy of nothing";
    if (plan.hedge_after < plan.candidates[0].forecast.ttft) return "a copy before it is late";
  }
  if (plan.reason == Reason::local_fits && plan.level > 1) return "does not fit";
  if (explain(view, plan, Language::en).empty() || explain(view, plan, Language::zh).empty()) {
    return "no words";
  }
  return "";
}

}  // namespace

TEST_CASE("decide: 100,000 random cases keep every rule, and the same inputs the same plan") {
  Dice dice(20240601);
  std::array<int, 3> verdicts{};
  for (int i = 0; i < kCases; ++i) {
    const View view = random_view(dice);
    const Ask ask = random_ask(dice, view);
    const Policy policy = random_policy(dice);
    const Draw draw{dice.next()};
    const Plan plan = decide(ask, view, policy, draw);
    const std::string fault = fault_of(ask, view, policy, plan);
    if (!fault.empty()) FAIL("case " << i << ": " << fault << " (" << to_text(plan.reason) << ")");
    if (!(decide(ask, view, policy, draw) == plan)) FAIL("case " << i << ": two plans");
    ++verdicts[static_cast<size_t>(plan.verdict)];
  }
  for (const int count : verdicts) CHECK(count > kCases / 50);
}

TEST_CASE("decide: the order in which nodes are listed does not matter") {
  Dice dice(99);
  int different = 0;
  for (int i = 0; i < 5000; ++i) {
    View view = random_view(dice);
    const Ask ask = random_ask(dice, view);
    const Policy policy = random_policy(dice);
    const Draw draw{dice.next()};
    const Plan plan = decide(ask, view, policy, draw);
    std::reverse(view.nodes.begin(), view.nodes.end());
    different += decide(ask, view, policy, draw) == plan ? 0 : 1;
  }
  CHECK(different == 0);
}

TEST_CASE("decide: home-only data never gets a cloud candidate, whatever fails") {
  Dice dice(5);
  int sent = 0;
  for (int i = 0; i < 20000; ++i) {
    const View view = random_view(dice);
    Ask ask = random_ask(dice, view);
    ask.stays_home = true;
    if (dice.one_in(2)) ask.may_use = NodeSet::from_bits(~uint64_t{0});
    const Plan plan = decide(ask, view, random_policy(dice), {dice.next()});
    for (const Candidate& candidate : plan.candidates) {
      if (candidate.place != Place::local) FAIL("case " << i);
      ++sent;
    }
  }
  CHECK(sent > 5000);
}
