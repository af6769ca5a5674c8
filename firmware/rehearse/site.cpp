#include "firmware/rehearse/site.h"

#include "firmware/base/text.h"
#include "firmware/valve/words.h"

namespace sluice::rehearse {

namespace {

constexpr int64_t kRuleNumberMax = 100'000;

bool set_number(Contender& contender, std::string_view text) {
  const std::optional<int64_t> number = to_integer(text);
  if (!number || *number < 0 || *number > kRuleNumberMax) return false;
  const int value = static_cast<int>(*number);
  if (contender.policy.rule == valve::Rule::static_threshold) {
    contender.policy.rule_concurrency = value;
  } else if (contender.policy.rule == valve::Rule::queue_kv) {
    contender.policy.rule_queue = value;
  } else {
    return false;
  }
  contender.name += "=" + std::to_string(value);
  return true;
}

}  // namespace

WorkLaw work_law(const valve::StepModel& step) {
  return {step.base_us / 1e6, step.per_seq_us / 1e6, step.per_kv_token_us / 1e6,
          step.prefill_us_per_token / 1e6};
}

std::vector<Contender> all_contenders(const valve::Policy& box) {
  std::vector<Contender> all;
  for (int i = 0; i <= static_cast<int>(valve::kGoalLast); ++i) {
    const auto goal = static_cast<valve::Goal>(i);
    Contender ours{valve::to_text(goal), box, goal};
    ours.policy.rule = valve::Rule::predict;
    all.push_back(std::move(ours));
  }
  for (int i = 0; i <= static_cast<int>(valve::kRuleLast); ++i) {
    const auto rule = static_cast<valve::Rule>(i);
    if (rule == valve::Rule::predict) continue;
    Contender theirs{valve::to_text(rule), box, valve::Goal::balanced};
    theirs.policy.rule = rule;
    all.push_back(std::move(theirs));
  }
  return all;
}

Result<Contender> contender_named(std::string_view name, const valve::Policy& box) {
  const size_t equals = name.find('=');
  std::string names;
  for (Contender& contender : all_contenders(box)) {
    names += (names.empty() ? "" : ", ") + contender.name;
    if (contender.name != name.substr(0, equals)) continue;
    if (equals == std::string_view::npos) return std::move(contender);
    if (set_number(contender, name.substr(equals + 1))) return std::move(contender);
    return Error{ErrorKind::refused, "rehearse",
                 "\"" + std::string(name) +
                     "\": only static-threshold=N and queue-kv=N take a number, from 0 to 100000"};
  }
  return Error{ErrorKind::refused, "rehearse",
               "there is no policy \"" + std::string(name) + "\"; choose among " + names};
}

}  // namespace sluice::rehearse
