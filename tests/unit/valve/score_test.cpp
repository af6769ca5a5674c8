// The choice among nodes: hard rules, the score in money, and what decides between equals.
#include "firmware/valve/score.h"

#include <doctest/doctest.h>

#include <array>

#include "firmware/valve/decide.h"
#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

struct Choosing {
  View view;
  Policy policy;
  Ask ask;
  explicit Choosing(std::vector<NodeView> nodes)
      : view(view_of(std::move(nodes))), ask(ask_for(view)) {}
  NodeView& node(size_t at) { return view.nodes[at]; }
  Score score_of(size_t at) {
    return score(node(at), ask, forecast(node(at), ask, policy, view.now), policy);
  }
  Plan plan(uint64_t draw = 1) { return decide(ask, view, policy, {draw}); }
  int first(uint64_t draw = 1) {
    const Plan made = plan(draw);
    return made.candidates.empty() ? -1 : made.candidates[0].node.index;
  }
};

// A box with clouds only, so that the choice is among them: 1 cheap and slow, 2 dear and fast.
Choosing slow_or_dear() {
  NodeView slow = cloud_node(1, 8000);
  slow.ttft_base = Duration::ms(1500);
  slow.tpot = {point(1, 60)};
  NodeView fast = cloud_node(2, 24000);
  fast.ttft_base = Duration::ms(300);
  fast.tpot = {point(1, 15)};
  return Choosing({slow, fast});
}

NodeView with_weight(NodeView node, int weight) {
  node.weight = weight;
  return node;
}

}  // namespace

TEST_CASE("score: each part is money, and the parts add up") {
  Choosing c({cloud_node(1, 8000)});
  c.node(0).carbon_ug_per_token = 500;
  c.node(0).tpot = {point(1, 20)};
  c.policy.carbon_price_nano_per_kg = 1'000'000'000;
  const Score made = c.score_of(0);
  CHECK(made.price.nano == 1000 * 2000 + 256 * 8000);
  CHECK(made.carbon.nano == 628'000);  // 1256 tokens at 500 ug: 0.628 g
  // 0.45 s until the first of 256 tokens, 255 more at 20 ms count a fifth: 0.45 + 1.02 s at 0.001.
  CHECK(made.waiting.nano == 1'470'000);
  CHECK(made.risk.nano == 0);
  CHECK(made.leaving.nano == 0);
  CHECK(c.plan().candidates[0].score == made.total());
  CHECK(c.plan().candidates[0].cost == made.price + made.carbon);
}

TEST_CASE("score: what the node has cached costs the cached price") {
  Choosing c({cloud_node(1, 8000)});
  c.node(0).price_cached_nano = 200;
  c.node(0).cached = {900};
  CHECK(c.score_of(0).price.nano == 100 * 2000 + 900 * 200 + 256 * 8000);
  c.node(0).cached = {5000};  // no more than there is
  CHECK(c.score_of(0).price.nano == 1000 * 200 + 256 * 8000);
}

TEST_CASE("score: an answer in one piece is waited for to its end") {
  Choosing c({cloud_node(1)});
  c.node(0).tpot = {point(1, 20)};
  const Money streamed = c.score_of(0).waiting;
  c.ask.stream = false;
  CHECK(c.score_of(0).waiting.nano == 450'000 + 5'100'000);
  CHECK(c.score_of(0).waiting > streamed);
}

TEST_CASE("score: a node that fails costs its retries") {
  Choosing c({cloud_node(1, 8000)});
  c.node(0).failure_share = 0.5;  // one retry more, on the mean
  // Another 0.45 s, a second to fail, and the tokens once more.
  CHECK(c.score_of(0).risk.nano == 4'048'000 + 1'450'000);
  c.node(0).failure_share = 1;
  CHECK(c.score_of(0).risk.nano < 10 * 5'498'000);
}

TEST_CASE("score: each goal chooses by its own weights") {
  Choosing c = slow_or_dear();
  c.ask.goal = Goal::cost;
  CHECK(c.first() == 1);
  c.ask.goal = Goal::balanced;
  CHECK(c.first() == 1);  // 1.2 s and 11 s of reading are not worth three times the price
  c.ask.goal = Goal::fast;
  CHECK(c.first() == 2);
  c.node(1).price_out_nano = c.node(0).price_out_nano;
  c.node(1).price_in_nano = c.node(0).price_in_nano;
  for (const Weights& weights : kWeights) {
    c.ask.goal = weights.goal;
    CHECK(c.first() == 2);  // as cheap and faster: best for everybody
  }
}

TEST_CASE("score: green pays for clean tokens although the box prices no carbon") {
  NodeView coal = cloud_node(1, 8000);
  coal.carbon_ug_per_token = 600;
  NodeView water = cloud_node(2, 11000);
  Choosing c({coal, water});
  c.ask.goal = Goal::balanced;
  CHECK(c.first() == 1);
  c.ask.goal = Goal::green;
  CHECK(c.first() == 2);
}

TEST_CASE("score: leaving costs a minute of waiting for who wants to stay home") {
  Choosing c({cloud_node(1), local_node()});
  c.ask.goal = Goal::home_first;
  CHECK(c.score_of(0).leaving.nano == 60'000'000);
  CHECK(c.score_of(1).leaving.nano == 0);
}

TEST_CASE("score: a node that fails loses to a dearer one that does not") {
  Choosing c({cloud_node(1, 8000), cloud_node(2, 12000)});
  CHECK(c.first() == 1);
  c.node(0).failure_share = 0.4;
  CHECK(c.first() == 2);
}

TEST_CASE("score: equals are used in proportion to their weights") {
  Choosing c({with_weight(cloud_node(1), 7), with_weight(cloud_node(2), 2),
              with_weight(cloud_node(3), 1), with_weight(cloud_node(4), 0)});
  Dice dice(11);
  std::array<int, 5> first{};
  for (int i = 0; i < 10'000; ++i) ++first[static_cast<size_t>(c.first(dice.next()))];
  CHECK(first[1] > 6800);
  CHECK(first[1] < 7200);
  CHECK(first[2] > 1850);
  CHECK(first[2] < 2150);
  CHECK(first[3] > 880);
  CHECK(first[3] < 1120);
  CHECK(first[4] == 0);
}

TEST_CASE("score: a spare is used when there is no other, and before one that misses the level") {
  Choosing c({with_weight(cloud_node(1), 0), cloud_node(2)});
  CHECK(c.first() == 2);
  c.node(1).ttft_base = Duration::seconds(5);
  CHECK(c.first() == 1);
  c.node(1).health = Health::down;
  CHECK(c.first() == 1);
}

TEST_CASE("score: between equals a conversation stays where it was") {
  Choosing c({cloud_node(1), cloud_node(2), cloud_node(3)});
  c.node(2).matched = {800};
  for (uint64_t draw = 1; draw < 50; ++draw) CHECK(c.first(draw) == 3);
  c.node(0).matched = {900};
  for (uint64_t draw = 1; draw < 50; ++draw) CHECK(c.first(draw) == 1);
}

TEST_CASE("score: affinity yields to a cheaper node, unless the cache pays for it") {
  NodeView here = cloud_node(1, 10000);
  here.matched = {900};
  Choosing c({here, cloud_node(2, 8000)});
  CHECK(c.first() == 2);
  c.node(0).cached = {900};  // and the cache is known to work
  CHECK(c.first() == 1);
}

TEST_CASE("score: a node is barred by the first rule that it breaks") {
  Choosing c({cloud_node(1)});
  c.ask.context = {2000};
  const auto bar = [&] { return bar_of(c.node(0), c.ask, context_needed(c.ask, c.view)); };
  CHECK(bar() == Bar::none);
  c.node(0).slots = c.node(0).in_flight = 3;
  CHECK(bar() == Bar::full);
  c.node(0).health = Health::down;
  CHECK(bar() == Bar::down);
  c.ask.over_budget = true;
  CHECK(bar() == Bar::over_budget);
  c.node(0).context_max = {1000};
  CHECK(bar() == Bar::too_long);
  c.ask.needs.add(Feature::tools);
  c.node(0).offers = FeatureSet();
  CHECK(bar() == Bar::no_feature);
  c.ask.stays_home = true;
  CHECK(bar() == Bar::not_permitted);
}

TEST_CASE("score: a free node is used beyond the budget") {
  Choosing c({cloud_node(1), cloud_node(2, 0)});
  c.ask.over_budget = true;
  CHECK(c.first() == 2);
  CHECK(c.plan().candidates.size() == 1);
}

TEST_CASE("score: a prompt goes where its context is long enough") {
  NodeView brief = cloud_node(1, 1000);
  brief.context_max = {4096};
  NodeView roomy = cloud_node(2, 9000);
  roomy.context_max = {32768};
  Choosing c({brief, roomy});
  c.ask.prompt_tokens = {3000};
  c.ask.context = {3500};
  CHECK(c.first() == 1);
  c.ask.context = {4097};
  CHECK(c.first() == 2);
  CHECK(c.plan().candidates.size() == 1);
}

TEST_CASE("score: what is only perhaps too long is not refused, what surely is says the limit") {
  NodeView brief = cloud_node(1);
  brief.context_max = {4096};
  Choosing c({brief});
  c.ask.prompt_tokens = {6000};
  c.ask.context = {6500};  // as few as 3500 tokens, if its text is of long words
  CHECK(c.first() == 1);
  c.ask.context = {7500};  // 1500 of them are asked for: at least 4500
  const Plan plan = c.plan();
  CHECK(plan.verdict == Verdict::refuse);
  CHECK(plan.reason == Reason::too_long);
  CHECK(plan.context_max == Tokens{4096});
  c.node(0).context_max = {};  // not known: it is for the node to say
  CHECK(c.first() == 1);
}
