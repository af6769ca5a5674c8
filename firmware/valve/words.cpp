#include "firmware/valve/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::valve {

namespace {

constexpr double kLevelSaid = 1000;  // beyond it a level is said as this

const NodeView* find_node(const View& view, NodeId id) {
  for (const NodeView& node : view.nodes) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

// The local node whose level the plan speaks of: the least loaded one that was surveyed.
std::string water(const Plan& plan, Language language) {
  if (plan.line == 0) return "";
  const int percent = static_cast<int>(std::min(plan.level, kLevelSaid) * 100 + 0.5);
  return language == Language::en
             ? fmt::format(" (water level {} % of a line at {})", percent, plan.line)
             : fmt::format("（水位 {} %，溢出线为 {} 个并发）", percent, plan.line);
}

std::string target(const View& view, const Plan& plan, Language language) {
  if (plan.candidates.empty()) return "";
  const NodeView* node = find_node(view, plan.candidates.front().node);
  if (node == nullptr) return "";
  const bool local = node->place == Place::local;
  return language == Language::en ? fmt::format("{} ({})", node->name, local ? "local" : "cloud")
                                  : fmt::format("{}（{}）", node->name, local ? "本地" : "云端");
}

std::string forecast_words(const Plan& plan, Language language) {
  if (plan.candidates.empty()) return "";
  const Forecast& f = plan.candidates.front().forecast;
  std::string tpot_en =
      f.tpot.is_zero() ? "not yet measured" : fmt::format("{} ms", f.tpot.as_ms());
  std::string tpot_zh = f.tpot.is_zero() ? "尚未测得" : fmt::format("{} 毫秒", f.tpot.as_ms());
  return language == Language::en
             ? fmt::format("; expected there: TTFT {} ms, TPOT {}", f.ttft.as_ms(), tpot_en)
             : fmt::format("；预计首字时延 {} 毫秒，每字时延 {}", f.ttft.as_ms(), tpot_zh);
}

// The limit of a request that is too long.
std::string limit_words(const Plan& plan, Language language) {
  if (plan.context_max.count == 0) return "";
  return language == Language::en ? fmt::format(" ({} tokens)", plan.context_max.count)
                                  : fmt::format("（{} 个词元）", plan.context_max.count);
}

struct Words {
  const char* en;
  const char* zh;
};

Words words_of_refusal(Reason reason) {
  switch (reason) {
    case Reason::closed_no_local:
      return {"only the cloud serves this model and the valve is closed",
              "该模型只有云端提供，而阀门已关闭"};
    case Reason::not_permitted:
      return {"this key or this data may use none of the nodes", "该密钥或该数据不可使用任何节点"};
    case Reason::past_deadline:
      return {"its deadline has passed", "已超过截止时间"};
    case Reason::too_long:
      return {"it is longer than the context of every node that may serve it",
              "长度超过所有可用节点的上下文上限"};
    case Reason::no_feature:
      return {"no node that may serve it offers what it needs", "可用节点均不支持其所需的功能"};
    case Reason::over_budget:
      return {"the budget of its key is used up, and every node that serves it costs money",
              "该密钥的预算已用完，而提供该模型的节点都要付费"};
    default:
      return {"", ""};
  }
}

Words words_of(Reason reason) {
  switch (reason) {
    case Reason::local_fits:
      return {"the local engine keeps the service level", "本地引擎能满足服务等级"};
    case Reason::local_ttft:
      return {"the first token would come too late on the local engine", "本地引擎的首字会太晚"};
    case Reason::local_tpot:
      return {"one more request would slow every local stream below its service level",
              "再加一个请求会使本地所有输出慢于服务等级"};
    case Reason::local_untried:
      return {"the local engine has not yet shown that it bears more at once",
              "本地引擎尚未证明能承受更多并发"};
    case Reason::local_slots:
      return {"every slot of the local engine is taken", "本地引擎的槽位已满"};
    case Reason::local_draining:
      return {"the local engine was full a moment ago and has not drained enough",
              "本地引擎刚刚满载，水位尚未降够"};
    case Reason::local_down:
      return {"no local engine answers", "本地引擎无应答"};
    case Reason::cloud_no_better:
      return {"the first token comes late here, but it would come later elsewhere",
              "首字在本地较晚，但在别处更晚"};
    case Reason::no_local:
      return {"no local engine serves this model", "没有本地引擎提供该模型"};
    case Reason::overflow_off:
      return {"the valve is closed, so it stays although the local engine is full",
              "阀门已关闭，本地虽满也只能留在本地"};
    case Reason::last_resort:
      return {"no node looks well and waiting would not help; the least bad is tried",
              "没有状态良好的节点，等待也无益，选用最不差的节点"};
    case Reason::full_stays_home:
      return {"the local engine is full and this data may not leave", "本地已满，且该数据不得外出"};
    case Reason::full_no_cloud:
      return {"the local engine is full and no cloud node can take it",
              "本地已满，且没有可用的云端节点"};
    case Reason::full_overflow_off:
      return {"the local engine is full and the valve is closed", "本地已满，且阀门已关闭"};
    case Reason::waits_its_turn:
      return {"others came before it", "前面还有请求在等"};
    case Reason::waits_for_place:
      return {"the local engine will have room for it in a moment", "本地引擎稍后即有空位"};
    case Reason::down_stays_home:
      return {"no local engine answers and this data may not leave",
              "本地引擎无应答，且该数据不得外出"};
    case Reason::cloud_full:
      return {"every cloud node is at its limit", "所有云端节点都已达到上限"};
    case Reason::down_overflow_off:
      return {"no local engine answers and the valve is closed", "本地引擎无应答，且阀门已关闭"};
    case Reason::down_no_cloud:
      return {"no node answers", "没有节点应答"};
    case Reason::budget_stays_home:
      return {"the budget of its key is used up, so it waits for a node that costs nothing",
              "该密钥的预算已用完，只能等待免费的节点"};
    case Reason::by_rule:
      return {"the rule that this site decides by names it", "按本站点选用的规则选定"};
    case Reason::closed_no_local:
    case Reason::not_permitted:
    case Reason::past_deadline:
    case Reason::too_long:
    case Reason::no_feature:
    case Reason::over_budget:
      break;
  }
  return words_of_refusal(reason);
}

}  // namespace

std::string explain(const View& view, const Plan& plan, Language language) {
  const Words words = words_of(plan.reason);
  const bool en = language == Language::en;
  switch (plan.verdict) {
    case Verdict::send:
      return en ? fmt::format("To {}: {}{}{}.", target(view, plan, language), words.en,
                              water(plan, language), forecast_words(plan, language))
                : fmt::format("送往 {}：{}{}{}。", target(view, plan, language), words.zh,
                              water(plan, language), forecast_words(plan, language));
    case Verdict::hold:
      return en ? fmt::format("Waits behind {} others: {}{}.", view.held, words.en,
                              water(plan, language))
                : fmt::format("排队（前面有 {} 个）：{}{}。", view.held, words.zh,
                              water(plan, language));
    case Verdict::refuse:
      return en ? fmt::format("Refused: {}{}.", words.en, limit_words(plan, language))
                : fmt::format("拒绝：{}{}。", words.zh, limit_words(plan, language));
  }
  return "";
}

const char* to_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::send:
      return "send";
    case Verdict::hold:
      return "hold";
    case Verdict::refuse:
      return "refuse";
  }
  return "";
}

const char* to_text(Reason reason) {
  switch (reason) {
    case Reason::local_fits:
      return "local_fits";
    case Reason::local_ttft:
      return "local_ttft";
    case Reason::local_tpot:
      return "local_tpot";
    case Reason::local_untried:
      return "local_untried";
    case Reason::local_slots:
      return "local_slots";
    case Reason::local_draining:
      return "local_draining";
    case Reason::local_down:
      return "local_down";
    case Reason::cloud_no_better:
      return "cloud_no_better";
    case Reason::no_local:
      return "no_local";
    case Reason::overflow_off:
      return "overflow_off";
    case Reason::last_resort:
      return "last_resort";
    case Reason::full_stays_home:
      return "full_stays_home";
    case Reason::full_no_cloud:
      return "full_no_cloud";
    case Reason::full_overflow_off:
      return "full_overflow_off";
    case Reason::waits_its_turn:
      return "waits_its_turn";
    case Reason::waits_for_place:
      return "waits_for_place";
    case Reason::down_stays_home:
      return "down_stays_home";
    case Reason::cloud_full:
      return "cloud_full";
    case Reason::down_overflow_off:
      return "down_overflow_off";
    case Reason::down_no_cloud:
      return "down_no_cloud";
    case Reason::closed_no_local:
      return "closed_no_local";
    case Reason::not_permitted:
      return "not_permitted";
    case Reason::past_deadline:
      return "past_deadline";
    case Reason::too_long:
      return "too_long";
    case Reason::no_feature:
      return "no_feature";
    case Reason::over_budget:
      return "over_budget";
    case Reason::budget_stays_home:
      return "budget_stays_home";
    case Reason::by_rule:
      return "by_rule";
  }
  return "";
}

const char* to_text(Bound bound) {
  switch (bound) {
    case Bound::none:
      return "none";
    case Bound::tpot:
      return "tpot";
    case Bound::untried:
      return "untried";
    case Bound::slots:
      return "slots";
    case Bound::ttft:
      return "ttft";
  }
  return "";
}

const char* to_text(Place place) { return place == Place::local ? "local" : "cloud"; }

const char* to_text(Health health) {
  switch (health) {
    case Health::up:
      return "up";
    case Health::slow_start:
      return "slow_start";
    case Health::probing:
      return "probing";
    case Health::down:
      return "down";
    case Health::unknown:
      return "unknown";
  }
  return "";
}

const char* to_text(Goal goal) {
  switch (goal) {
    case Goal::cost:
      return "cost";
    case Goal::balanced:
      return "balanced";
    case Goal::fast:
      return "fast";
    case Goal::green:
      return "green";
    case Goal::home_first:
      return "home-first";
  }
  return "";
}

const char* to_text(Feature feature) {
  switch (feature) {
    case Feature::tools:
      return "tools";
    case Feature::vision:
      return "vision";
    case Feature::audio:
      return "audio";
    case Feature::structured_output:
      return "structured_output";
  }
  return "";
}

const char* to_text(Priority priority) {
  switch (priority) {
    case Priority::low:
      return "low";
    case Priority::normal:
      return "normal";
    case Priority::high:
      return "high";
  }
  return "";
}

std::string chunk_advice(const StepModel& step, double sequences, double kv_tokens,
                         Duration tpot_max, Language language) {
  if (!step.is_known()) return "";
  const double full_ms = step.full_us(sequences, kv_tokens) / 1000;
  if (full_ms <= static_cast<double>(tpot_max.as_us()) / 1000) return "";
  const bool en = language == Language::en;
  const std::string seen =
      en ? fmt::format(
               "while prompts are computed, {} tokens at a time, a step takes {:.0f} ms, and "
               "{} ms a token are promised",
               step.chunk_tokens, full_ms, tpot_max.as_ms())
         : fmt::format(
               "计算提示词时（每步 {} 个词元）一步需 {:.0f} 毫秒，而承诺的每字时延为 {} 毫秒",
               step.chunk_tokens, full_ms, tpot_max.as_ms());
  const auto within = chunk_within(step, sequences, kv_tokens, tpot_max);
  if (!within) {
    return seen + (en ? "; no smaller size keeps that" : "；再小的分块也无法满足");
  }
  return seen + (en ? fmt::format("; start the engine with chunks of at most {} tokens (vLLM: "
                                  "--max-num-batched-tokens, SGLang: --chunked-prefill-size)",
                                  *within)
                    : fmt::format("；请将引擎的分块设为不超过 {} 个词元（vLLM："
                                  "--max-num-batched-tokens，SGLang：--chunked-prefill-size）",
                                  *within));
}

}  // namespace sluice::valve
