#include "firmware/proxy/shadow.h"

#include "firmware/valve/rules/rules.h"

namespace sluice::proxy {

namespace {

void count(const valve::Plan& plan, ShadowSide& side) {
  if (plan.verdict != valve::Verdict::send) return;
  const valve::Candidate& chosen = plan.candidates.front();
  ++side.sent;
  if (chosen.place == valve::Place::cloud) ++side.cloud;
  if (chosen.forecast.level <= 1) ++side.kept;
  side.cost = side.cost + chosen.cost;
  side.ttft_sum = side.ttft_sum + chosen.forecast.ttft;
}

void count_difference(const valve::Plan& first, const valve::Plan& second, ShadowReport& report) {
  if (first.verdict != second.verdict) {
    ++report.other_verdict;
    return;
  }
  if (first.verdict != valve::Verdict::send) return;
  const valve::Candidate& a = first.candidates.front();
  const valve::Candidate& b = second.candidates.front();
  if (a.node == b.node) return;
  if (a.place == b.place) {
    ++report.other_node;
  } else {
    ++(b.place == valve::Place::cloud ? report.to_cloud : report.to_home);
  }
}

}  // namespace

void compare(const valve::Decision& first, const ShadowRule& second, ShadowReport& report) {
  valve::Ask ask = first.ask;
  valve::Policy policy = first.policy;
  if (second.goal) {
    ask.goal = *second.goal;
    policy.rule = valve::Rule::predict;
  }
  if (second.rule) policy.rule = *second.rule;
  const valve::Plan plan = valve::decide_by_rule(ask, first.view, policy, first.draw);
  ++report.decisions;
  count(first.plan, report.first);
  count(plan, report.second);
  count_difference(first.plan, plan, report);
}

Shadow::Shadow(DecisionSink& next, const ports::Clock& clock, const ports::Calendar& calendar,
               ports::Timers& timers)
    : next_(next), clock_(clock), calendar_(calendar), turn_(timers.make([this] { on_turn(); })) {}

void Shadow::set_rule(const ShadowRule& rule) {
  if (rule == rule_) return;
  rule_ = rule;
  pending_.clear();
  report_ = {};
  report_.name = rule.name;
  report_.since = calendar_.now();
}

void Shadow::on_decision(const valve::Decision& decision) {
  next_.on_decision(decision);
  if (!rule_.is_on()) return;
  const Instant now = clock_.now();
  if (now - second_ >= Duration::seconds(1)) {
    second_ = now;
    taken_ = 0;
  }
  if (taken_ >= kPerSecondMax || pending_.size() >= kPendingMax) {
    ++report_.passed_over;
    return;
  }
  ++taken_;
  pending_.push_back(decision);
  if (!turn_->is_running()) turn_->start(Duration());
}

void Shadow::on_turn() {
  for (size_t i = 0; i < kPerTurnMax && !pending_.empty(); ++i) {
    compare(pending_.front(), rule_, report_);
    pending_.pop_front();
  }
  if (!pending_.empty()) turn_->start(Duration());
}

std::optional<ShadowReport> Shadow::shadow() const {
  return rule_.is_on() ? std::optional<ShadowReport>(report_) : std::nullopt;
}

}  // namespace sluice::proxy
