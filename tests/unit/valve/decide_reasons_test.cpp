// Every verdict and reason once, as a table: what is different from a quiet day, and what follows.
#include <doctest/doctest.h>

#include <functional>
#include <set>

#include "firmware/valve/rules/rules.h"
#include "firmware/valve/words.h"
#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

struct Story {
  View view = view_of({local_node(45), cloud_node()});
  Policy policy;
  Ask ask = ask_for(view);
  NodeView& local() { return view.nodes[0]; }
  NodeView& cloud() { return view.nodes[1]; }
  void forget(uint8_t index) { ask.may_use.remove({index}); }
  void stay_home() {
    ask.stays_home = true;
    forget(1);
  }
};

struct Line {
  Reason reason;
  Verdict verdict;
  int first;  // node; -1: none
  std::function<void(Story&)> change;
};

const std::vector<Line>& sends() {
  static const std::vector<Line> lines = {
      {Reason::local_fits, Verdict::send, 0, [](Story& s) { s.local().in_flight = 2; }},
      {Reason::local_ttft, Verdict::send, 1,
       [](Story& s) {
         s.local().in_flight = 2;
         s.local().prefill_backlog = {50000};
       }},
      {Reason::local_tpot, Verdict::send, 1, [](Story&) {}},
      {Reason::local_untried, Verdict::send, 1, [](Story& s) { s.local().tpot.clear(); }},
      {Reason::local_slots, Verdict::send, 1,
       [](Story& s) {
         s.local().slots = 20;
         s.local().residence = Duration();
       }},
      {Reason::local_draining, Verdict::send, 1,
       [](Story& s) {
         s.view.overflowing = true;
         s.local().in_flight = 39;
       }},
      {Reason::local_down, Verdict::send, 1, [](Story& s) { s.local().health = Health::down; }},
      {Reason::cloud_no_better, Verdict::send, 0,
       [](Story& s) {
         s.local().in_flight = 2;
         s.local().prefill_backlog = {50000};
         s.cloud().ttft_base = Duration::seconds(9);
       }},
      {Reason::no_local, Verdict::send, 1, [](Story& s) { s.forget(0); }},
      {Reason::overflow_off, Verdict::send, 0,
       [](Story& s) {
         s.policy.overflow = false;
         s.policy.hold = false;
       }},
      {Reason::last_resort, Verdict::send, 0,
       [](Story& s) {
         s.policy.hold = false;
         s.cloud().health = Health::down;
       }},
  };
  return lines;
}

const std::vector<Line>& others() {
  static const std::vector<Line> lines = {
      {Reason::full_stays_home, Verdict::hold, -1, [](Story& s) { s.stay_home(); }},
      {Reason::full_no_cloud, Verdict::hold, -1, [](Story& s) { s.cloud().health = Health::down; }},
      {Reason::full_overflow_off, Verdict::hold, -1, [](Story& s) { s.policy.overflow = false; }},
      {Reason::down_stays_home, Verdict::hold, -1,
       [](Story& s) {
         s.local().health = Health::down;
         s.stay_home();
       }},
      {Reason::down_no_cloud, Verdict::hold, -1,
       [](Story& s) { s.local().health = s.cloud().health = Health::down; }},
      {Reason::waits_its_turn, Verdict::hold, -1,
       [](Story& s) {
         s.local().in_flight = 2;
         s.cloud().health = Health::down;
         s.view.held = 3;
       }},
      {Reason::waits_for_place, Verdict::hold, -1,
       [](Story& s) {
         s.local().in_flight = 2;
         s.local().step = {10e3, 200, 0.04, 400, 192, 40, 0};
         s.local().moment.prefill_left = {3000};
         s.local().moment.spare = EngineMoment::kNobody;
       }},
      {Reason::down_overflow_off, Verdict::hold, -1,
       [](Story& s) {
         s.local().health = Health::down;
         s.policy.overflow = false;
       }},
      {Reason::cloud_full, Verdict::hold, -1,
       [](Story& s) {
         s.forget(0);
         s.cloud().slots = 4;
         s.cloud().in_flight = 4;
       }},
      {Reason::closed_no_local, Verdict::refuse, -1,
       [](Story& s) {
         s.policy.overflow = false;
         s.forget(0);
       }},
      {Reason::not_permitted, Verdict::refuse, -1, [](Story& s) { s.ask.may_use = {}; }},
      {Reason::past_deadline, Verdict::refuse, -1, [](Story& s) { s.ask.deadline = s.view.now; }},
      {Reason::too_long, Verdict::refuse, -1,
       [](Story& s) {
         s.ask.context = {9000};
         s.local().context_max = s.cloud().context_max = {8192};
       }},
      {Reason::no_feature, Verdict::refuse, -1,
       [](Story& s) {
         s.ask.needs.add(Feature::vision);
         s.local().offers = s.cloud().offers = FeatureSet();
       }},
      {Reason::over_budget, Verdict::refuse, -1,
       [](Story& s) {
         s.ask.over_budget = true;
         s.forget(0);
       }},
      {Reason::budget_stays_home, Verdict::hold, -1, [](Story& s) { s.ask.over_budget = true; }},
      {Reason::by_rule, Verdict::send, 1, [](Story& s) { s.policy.rule = Rule::cloud_only; }},
  };
  return lines;
}

std::vector<Line> every_line() {
  std::vector<Line> lines = sends();
  lines.insert(lines.end(), others().begin(), others().end());
  return lines;
}

}  // namespace

TEST_CASE("decide: every reason has its story") {
  std::set<Reason> told;
  for (const Line& line : every_line()) {
    CAPTURE(to_text(line.reason));
    Story story;
    line.change(story);
    const Plan plan = decide_by_rule(story.ask, story.view, story.policy, {});
    CHECK(std::string(to_text(plan.reason)) == to_text(line.reason));
    CHECK(plan.verdict == line.verdict);
    CHECK((plan.candidates.empty() ? -1 : plan.candidates[0].node.index) == line.first);
    told.insert(plan.reason);
  }
  CHECK(told.size() == static_cast<size_t>(kReasonLast) + 1);
}

TEST_CASE("decide: without a queue nothing is held") {
  for (const Line& line : every_line()) {
    CAPTURE(to_text(line.reason));
    Story story;
    line.change(story);
    story.policy.hold = false;
    CHECK(decide(story.ask, story.view, story.policy, {}).verdict != Verdict::hold);
  }
}

TEST_CASE("decide: an idle engine that is slow by itself is not waited for") {
  Story story;
  story.stay_home();
  story.local().in_flight = 0;
  story.local().tpot = {point(1, 300), point(8, 400)};
  const Plan plan = decide(story.ask, story.view, story.policy, {});
  CHECK(plan.verdict == Verdict::send);
  CHECK(plan.reason == Reason::last_resort);
  CHECK(plan.level > 1);
}

TEST_CASE("decide: a box with only a cloud, or only local nodes, is decided like any other") {
  const View cloud = view_of({cloud_node(0)});
  CHECK(decide(ask_for(cloud), cloud, Policy(), {}).reason == Reason::no_local);
  View down = cloud;
  down.nodes[0].health = Health::down;
  CHECK(decide(ask_for(cloud), down, Policy(), {}).verdict == Verdict::hold);
  const View local = view_of({local_node(45)});
  CHECK(decide(ask_for(local), local, Policy(), {}).reason == Reason::full_no_cloud);
  Policy closed;
  closed.overflow = false;
  CHECK(decide(ask_for(local), local, closed, {}).reason == Reason::full_no_cloud);
  const View idle = view_of({local_node(3)});
  CHECK(decide(ask_for(idle), idle, closed, {}).reason == Reason::local_fits);
}
