// Nodes, requests and views for the tests of the valve, and a generator of random ones.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "firmware/valve/ask.h"
#include "firmware/valve/decide.h"
#include "firmware/valve/policy.h"
#include "firmware/valve/view.h"

namespace sluice::valve::samples {

inline const Instant kNow = Instant::from_us(1'000'000'000);

inline TpotPoint point(int concurrency, int64_t tpot_ms) {
  return {concurrency, Duration::ms(tpot_ms)};
}

// 20 ms a token up to 10 at once, 100 ms at 50: with a promise of 80 ms the line is at 40.
inline NodeView local_node(int in_flight = 0, uint8_t index = 0) {
  NodeView node;
  node.id = {index};
  node.name = "gpu-" + std::to_string(index);
  node.place = Place::local;
  node.health = Health::up;
  node.in_flight = in_flight;
  node.ttft_base = Duration::ms(50);
  node.prefill_us_per_token = 100;
  node.residence = Duration::seconds(8);
  node.tpot = {point(10, 20), point(50, 100)};
  node.untried_concurrency = 8;
  return node;
}

inline NodeView cloud_node(uint8_t index = 1, int64_t price_out_nano = 8000) {
  NodeView node;
  node.id = {index};
  node.name = "cloud-" + std::to_string(index);
  node.place = Place::cloud;
  node.health = Health::up;
  node.ttft_base = Duration::ms(400);
  node.prefill_us_per_token = 50;
  node.price_in_nano = price_out_nano / 4;
  node.price_out_nano = price_out_nano;
  return node;
}

inline View view_of(std::vector<NodeView> nodes) {
  View view;
  view.now = kNow;
  view.nodes = std::move(nodes);
  return view;
}

inline Ask ask_for(const View& view) {
  Ask ask;
  ask.id = 7;
  ask.key = "key-1";
  ask.model = "qwen3";
  ask.prompt_tokens = {1000};
  ask.output_tokens_max = {500};
  ask.stream = true;
  ask.level = {Duration::ms(2000), Duration::ms(80)};
  ask.arrived = kNow;
  ask.deadline = kNow + Duration::seconds(30);
  for (const NodeView& node : view.nodes) ask.may_use.add(node.id);
  return ask;
}

// SplitMix64 (Steele, Lea and Flood, 2014).
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  int64_t upto(int64_t max) {  // 0..max
    return static_cast<int64_t>(next() % static_cast<uint64_t>(max + 1));
  }
  int small(int max) { return static_cast<int>(upto(max)); }
  bool one_in(int count) { return upto(count - 1) == 0; }
  double part() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

inline NodeView random_node(Dice& dice, uint8_t index) {
  NodeView node;
  node.id = {index};
  node.name = dice.one_in(4) ? "节点 " + std::to_string(index) + "%" : "n" + std::to_string(index);
  node.place = dice.one_in(2) ? Place::local : Place::cloud;
  node.health = dice.one_in(2) ? Health::up : static_cast<Health>(dice.small(4));
  node.share = dice.part();
  node.leased_until = kNow + Duration::ms(dice.upto(2000) - 1000);
  node.in_flight = dice.one_in(3) ? 0 : dice.small(80);
  node.others = dice.one_in(2) ? 0 : dice.small(20);
  node.waiting = dice.one_in(2) ? 0 : dice.small(node.in_flight + node.others);
  node.slots = dice.one_in(2) ? 0 : dice.small(64);
  node.untried_concurrency = dice.one_in(3) ? 0 : dice.small(32);
  node.kv_usage = dice.one_in(2) ? -1 : dice.part();
  node.prefill_backlog = {dice.one_in(2) ? 0 : dice.upto(40000)};
  node.ttft_base = Duration::us(dice.upto(900000));
  node.prefill_us_per_token = dice.one_in(4) ? 0 : dice.part() * 300;
  node.residence = Duration::us(dice.upto(20'000'000));
  int at = 0;
  Duration tpot = Duration::us(dice.upto(30000));
  for (int left = dice.small(6); left > 0; --left) {
    at += 1 + dice.small(12);
    tpot = tpot + Duration::us(dice.upto(30000));
    node.tpot.push_back({at, tpot});
  }
  if (dice.one_in(2)) node.strictest_tpot = Duration::ms(20 + dice.upto(200));
  node.price_in_nano = dice.upto(4) * 1000;
  node.price_out_nano = dice.upto(4) * 4000;
  node.carbon_ug_per_token = dice.upto(5) * 100;
  node.price_cached_nano = dice.upto(2) * 500;
  node.context_max = {dice.one_in(2) ? 0 : 4096 << dice.small(3)};
  if (dice.one_in(4)) node.offers = FeatureSet::from_bits(static_cast<unsigned>(dice.small(15)));
  node.failure_share = dice.one_in(2) ? 0 : dice.part();
  node.weight = dice.one_in(2) ? 1 : dice.small(5);
  node.matched = {dice.one_in(2) ? 0 : dice.upto(20000)};
  if (dice.one_in(2)) node.ttft_late = Duration::ms(dice.upto(3000));
  node.cached = {dice.upto(node.matched.count)};
  return node;
}

inline View random_view(Dice& dice) {
  View view;
  view.now = kNow;
  view.overflowing = dice.one_in(2);
  view.held = dice.one_in(2) ? 0 : dice.small(40);
  for (uint8_t index = 0; index < kNodesMax; index = static_cast<uint8_t>(index + 1)) {
    if (view.nodes.size() >= 6) break;
    if (dice.one_in(index < 8 ? 3 : 30)) view.nodes.push_back(random_node(dice, index));
  }
  return view;
}

inline Ask random_ask(Dice& dice, const View& view) {
  Ask ask = ask_for(view);
  ask.id = dice.next();
  ask.prompt_tokens = {dice.upto(20000)};
  ask.output_tokens_max = {dice.one_in(2) ? 0 : dice.upto(4000)};
  ask.stream = dice.one_in(2);
  ask.priority = static_cast<Priority>(dice.small(2));
  ask.level = {Duration::ms(100 + dice.upto(4000)), Duration::ms(10 + dice.upto(150))};
  ask.arrived = kNow - Duration::us(dice.upto(5'000'000));
  ask.deadline = kNow + Duration::us(dice.upto(30'000'000) - 500'000);
  ask.stays_home = dice.one_in(3);
  ask.goal = static_cast<Goal>(dice.small(static_cast<int>(kGoalLast)));
  if (dice.one_in(4)) ask.needs = FeatureSet::from_bits(static_cast<unsigned>(dice.small(15)));
  if (dice.one_in(2)) ask.context = ask.prompt_tokens + ask.output_tokens_max;
  ask.over_budget = dice.one_in(8);
  for (const NodeView& node : view.nodes) {
    const bool leaves = ask.stays_home && node.place == Place::cloud;
    if (leaves || dice.one_in(6)) ask.may_use.remove(node.id);
  }
  return ask;
}

inline Policy random_policy(Dice& dice) {
  Policy policy;
  policy.overflow = !dice.one_in(4);
  policy.hold = !dice.one_in(4);
  policy.hysteresis = dice.part() * 0.5;
  policy.margin = 0.3 + dice.part();
  policy.growth = dice.part() * 0.5;
  policy.untried_prefill_tps = 1 + dice.part() * 9000;
  policy.expected_output = {dice.upto(1000)};
  policy.carbon_price_nano_per_kg = dice.upto(3) * 100'000'000'000;
  policy.attempts_max = dice.small(4);
  policy.first_byte_max = Duration::ms(1 + dice.upto(120000));
  policy.hedge = dice.one_in(2);
  policy.waiting_price_nano_per_s = dice.upto(3) * 500'000;
  if (dice.one_in(2)) policy.rule = static_cast<Rule>(dice.small(static_cast<int>(kRuleLast)));
  policy.rule_concurrency = 1 + dice.small(60);
  policy.rule_queue = dice.small(8);
  policy.rule_kv = 0.1 + 0.9 * dice.part();
  return policy;
}

}  // namespace sluice::valve::samples
