#include "firmware/valve/decide.h"

#include <doctest/doctest.h>

#include <array>

#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

Plan plan_for(const View& view, const Policy& policy = Policy(), Draw draw = {}) {
  return decide(ask_for(view), view, policy, draw);
}

std::vector<int> nodes_of(const Plan& plan) {
  std::vector<int> nodes;
  for (const Candidate& candidate : plan.candidates) nodes.push_back(candidate.node.index);
  return nodes;
}

using Nodes = std::vector<int>;

}  // namespace

TEST_CASE("decide: local first, and the cloud only as the one to try after it") {
  const Plan plan = plan_for(view_of({local_node(), cloud_node()}));
  CHECK(plan.verdict == Verdict::send);
  CHECK(plan.reason == Reason::local_fits);
  CHECK(nodes_of(plan) == Nodes{0, 1});
  CHECK(plan.candidates[0].place == Place::local);
  CHECK(plan.candidates[1].place == Place::cloud);
  CHECK_FALSE(plan.overflowing);
  CHECK(plan.line == 40);
  CHECK(plan.level == doctest::Approx(0.25));
}

TEST_CASE("decide: the least loaded local engine is first") {
  const Plan plan = plan_for(view_of({local_node(9, 0), local_node(3, 1), local_node(6, 2)}));
  CHECK(nodes_of(plan) == Nodes{1, 2, 0});
  const Plan same = plan_for(view_of({local_node(3, 2), local_node(3, 5)}));
  CHECK(nodes_of(same) == Nodes{2, 5});
}

TEST_CASE("decide: an engine that was never heard of comes after one that answers") {
  NodeView unknown = local_node(0, 0);
  unknown.health = Health::unknown;
  CHECK(nodes_of(plan_for(view_of({unknown, local_node(30, 1)}))) == Nodes{1, 0});
  const Plan full = plan_for(view_of({unknown, local_node(45, 1)}));
  CHECK(nodes_of(full) == Nodes{0, 1});  // but before one that is full
  CHECK(full.reason == Reason::local_fits);
  CHECK(nodes_of(plan_for(view_of({unknown}))) == Nodes{0});
}

TEST_CASE("decide: overflow begins exactly above the line") {
  const Plan at = plan_for(view_of({local_node(39), cloud_node()}));
  CHECK(at.reason == Reason::local_fits);
  CHECK(at.level == 1.0);
  const Plan above = plan_for(view_of({local_node(40), cloud_node()}));
  CHECK(above.verdict == Verdict::send);
  CHECK(above.reason == Reason::local_tpot);
  CHECK(nodes_of(above) == Nodes{1, 0});
  CHECK(above.overflowing);
  CHECK(above.level > 1.0);
}

TEST_CASE("decide: an open valve closes only a band below the line") {
  Policy policy;
  policy.hysteresis = 0.10;  // 4 of 40
  View view = view_of({local_node(39), cloud_node()});
  view.overflowing = true;
  for (const int in_flight : {39, 38, 37, 36}) {
    CAPTURE(in_flight);
    view.nodes[0].in_flight = in_flight;
    const Plan plan = plan_for(view, policy);
    CHECK(plan.reason == Reason::local_draining);
    CHECK(nodes_of(plan) == Nodes{1, 0});
    CHECK(plan.overflowing);
  }
  view.nodes[0].in_flight = 35;  // 36 with this one
  const Plan closed = plan_for(view, policy);
  CHECK(closed.reason == Reason::local_fits);
  CHECK_FALSE(closed.overflowing);
}

TEST_CASE("decide: a small line has no band") {
  Policy policy;
  policy.hysteresis = 0.03;
  NodeView small = local_node(29);
  small.slots = 30;  // 3 % of 30 is less than one place
  View view = view_of({small, cloud_node()});
  view.overflowing = true;
  CHECK(plan_for(view, policy).reason == Reason::local_fits);
  view.nodes[0].in_flight = 30;
  CHECK(plan_for(view, policy).reason == Reason::local_slots);
}

TEST_CASE("decide: while draining, a cloud that misses the level itself is no reason to leave") {
  Policy policy;
  policy.hysteresis = 0.10;
  NodeView slow = cloud_node();
  slow.ttft_base = Duration::seconds(4);
  View view = view_of({local_node(38), slow});
  view.overflowing = true;
  const Plan plan = plan_for(view, policy);
  CHECK(plan.reason == Reason::local_fits);
  CHECK(plan.overflowing);
}

TEST_CASE("decide: one that must stay home does not close the valve for the others") {
  Policy policy;
  policy.hysteresis = 0.10;
  View view = view_of({local_node(38), cloud_node()});
  view.overflowing = true;
  Ask ask = ask_for(view);
  ask.stays_home = true;
  ask.may_use.remove({1});
  const Plan home = decide(ask, view, policy, {});
  CHECK(home.reason == Reason::local_fits);
  CHECK(home.overflowing);
  view.nodes[0].in_flight = 10;
  CHECK_FALSE(decide(ask, view, policy, {}).overflowing);
}

TEST_CASE("decide: one that may only use the cloud does not close the valve for the others") {
  View view = view_of({local_node(45), cloud_node()});
  view.overflowing = true;
  Ask ask = ask_for(view);
  ask.may_use.remove({0});
  const Plan plan = decide(ask, view, Policy(), {});
  CHECK(plan.reason == Reason::no_local);
  CHECK(nodes_of(plan) == Nodes{1});
  CHECK(plan.overflowing);
}

TEST_CASE("decide: a closed valve is said to be closed") {
  View view = view_of({local_node(45), cloud_node()});
  view.overflowing = true;
  Policy policy;
  policy.overflow = false;
  CHECK_FALSE(plan_for(view, policy).overflowing);
}

TEST_CASE("decide: a slow prompt overflows without opening the valve for the next") {
  NodeView local = local_node(5);
  local.prefill_backlog = {40000};
  const Plan plan = plan_for(view_of({local, cloud_node()}));
  CHECK(plan.reason == Reason::local_ttft);
  CHECK(nodes_of(plan) == Nodes{1, 0});
  CHECK_FALSE(plan.overflowing);
}

TEST_CASE("decide: what is late here but later elsewhere stays") {
  NodeView local = local_node(5);
  local.prefill_backlog = {40000};
  NodeView cloud = cloud_node();
  cloud.ttft_base = Duration::seconds(6);
  const Plan plan = plan_for(view_of({local, cloud}));
  CHECK(plan.reason == Reason::cloud_no_better);
  CHECK(nodes_of(plan) == Nodes{0, 1});
}

TEST_CASE("decide: the cheapest cloud node that keeps the service level") {
  NodeView cheap_but_late = cloud_node(1, 1000);
  cheap_but_late.ttft_base = Duration::seconds(3);
  const Plan plan =
      plan_for(view_of({local_node(50), cheap_but_late, cloud_node(2, 9000), cloud_node(3, 4000)}));
  CHECK(nodes_of(plan) == Nodes{3, 2, 1});
  // 1000 tokens in at 1000, 256 out at 4000.
  CHECK(plan.candidates[0].cost.nano == 1000 * 1000 + 256 * 4000);
}

TEST_CASE("decide: cost is of what the request will take, as far as it says so") {
  const View view = view_of({cloud_node(1, 4000)});
  Ask ask = ask_for(view);
  ask.output_tokens_max = {10};
  CHECK(decide(ask, view, Policy(), {}).candidates[0].cost.nano == 1000 * 1000 + 10 * 4000);
  ask.output_tokens_max = {0};
  CHECK(decide(ask, view, Policy(), {}).candidates[0].cost.nano == 1000 * 1000 + 256 * 4000);
}

TEST_CASE("decide: carbon counts as much as its price says") {
  NodeView coal = cloud_node(1, 4000);
  coal.carbon_ug_per_token = 500;  // 1256 tokens: 0.628 g
  NodeView water = cloud_node(2, 4400);
  const View view = view_of({local_node(50), coal, water});
  Policy policy;
  CHECK(nodes_of(plan_for(view, policy)).front() == 1);
  policy.carbon_price_nano_per_kg = 1'000'000'000;  // 1 a kg
  const Plan priced = plan_for(view, policy);
  CHECK(nodes_of(priced).front() == 2);
  CHECK(priced.candidates[1].cost.nano == 1000 * 1000 + 256 * 4000 + 628'000);
}

TEST_CASE("decide: the draw breaks ties, and about evenly") {
  const View view =
      view_of({local_node(50), cloud_node(1), cloud_node(2), cloud_node(3), cloud_node(4)});
  Dice dice(42);
  std::array<int, 5> first{};
  for (int i = 0; i < 4000; ++i) ++first[nodes_of(plan_for(view, Policy(), {dice.next()}))[0]];
  for (size_t node = 1; node < first.size(); ++node) {
    CAPTURE(node);
    CHECK(first[node] > 850);
    CHECK(first[node] < 1150);
  }
}

TEST_CASE("decide: a cloud node in slow start takes its share of turns") {
  NodeView back = cloud_node(1, 1000);
  back.health = Health::slow_start;
  back.share = 0.25;
  const View view = view_of({local_node(50), back, cloud_node(2, 9000)});
  Dice dice(7);
  int taken = 0;
  for (int i = 0; i < 4000; ++i) {
    const Plan plan = plan_for(view, Policy(), {dice.next()});
    REQUIRE(plan.candidates.size() == 3);
    taken += plan.candidates[0].node.index == 1 ? 1 : 0;
  }
  CHECK(taken > 900);
  CHECK(taken < 1100);
}

TEST_CASE("decide: a probing node takes one at a time, a node that is down none") {
  NodeView probing = local_node(0);
  probing.health = Health::probing;
  CHECK(nodes_of(plan_for(view_of({probing, cloud_node()}))) == Nodes{0, 1});
  probing.in_flight = 1;
  const Plan busy = plan_for(view_of({probing, cloud_node()}));
  CHECK(busy.reason == Reason::local_down);
  CHECK(nodes_of(busy) == Nodes{1});
  NodeView down = cloud_node();
  down.health = Health::down;
  CHECK(nodes_of(plan_for(view_of({local_node(50), down, cloud_node(2)}))) == Nodes{2, 0});
}

TEST_CASE("decide: no more candidates than attempts, and at least one") {
  const View view = view_of({local_node(), cloud_node(1), cloud_node(2), cloud_node(3)});
  Policy policy;
  policy.attempts_max = 2;
  CHECK(plan_for(view, policy).candidates.size() == 2);
  policy.attempts_max = 0;
  CHECK(plan_for(view, policy).candidates.size() == 1);
}

TEST_CASE("decide: the first byte may take what the policy allows, within the deadline") {
  const View view = view_of({local_node()});
  Policy policy;
  CHECK(plan_for(view, policy).candidates[0].first_byte_max == Duration::seconds(30));
  policy.first_byte_max = Duration::seconds(5);
  CHECK(plan_for(view, policy).candidates[0].first_byte_max == Duration::seconds(5));
}

TEST_CASE("decide: home-only data stays although its list names a cloud node") {
  View view = view_of({local_node(45), cloud_node()});
  Ask ask = ask_for(view);
  ask.stays_home = true;
  REQUIRE(ask.may_use.has({1}));
  CHECK(decide(ask, view, Policy(), {}).reason == Reason::full_stays_home);
  view.nodes[0].in_flight = 3;
  CHECK(nodes_of(decide(ask, view, Policy(), {})) == Nodes{0});
  view.nodes.erase(view.nodes.begin());
  CHECK(decide(ask, view, Policy(), {}).reason == Reason::not_permitted);
}
