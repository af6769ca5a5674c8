#include "firmware/web/status_json.h"

#include <cmath>
#include <optional>

#include "firmware/ports/json.h"
#include "firmware/web/accelerators_json.h"
#include "firmware/web/load_json.h"
#include "firmware/web/tunnel_json.h"

namespace sluice::web {

using ports::JsonValue;

namespace {

const char* to_text(valve::Place place) { return place == valve::Place::local ? "local" : "cloud"; }

const char* state_of(const sense::NodeReport& node) {
  if (!node.enabled) return "disabled";
  switch (node.health) {
    case valve::Health::up:
      return "up";
    case valve::Health::slow_start:
      return "slow_start";
    case valve::Health::probing:
      return "probing";
    case valve::Health::down:
      return "down";
    case valve::Health::unknown:
      break;
  }
  return "unknown";
}

JsonValue number_or_null(const std::optional<double>& value) {
  return value ? number_value(*value) : JsonValue();
}

JsonValue ms_or_null(const std::optional<Duration>& value) {
  return value ? number_value(static_cast<double>(value->as_us()) / 1e3) : JsonValue();
}

int64_t ms_of(Date date) { return date.as_us() / 1000; }
JsonValue count(size_t value) { return static_cast<int64_t>(value); }

JsonValue step_value(const valve::StepModel& step) {
  return JsonValue::object({{"base_us", number_value(step.base_us)},
                            {"per_seq_us", number_value(step.per_seq_us)},
                            {"per_kv_token_us", number_value(step.per_kv_token_us)},
                            {"prefill_us_per_token", number_value(step.prefill_us_per_token)},
                            {"chunk_tokens", step.chunk_tokens},
                            {"sequences_max", step.sequences_max},
                            {"spread", number_value(step.spread)}});
}

JsonValue queue_value(const sense::NodeReport& node) {
  const auto rounded = [](double value) { return number_value(std::round(value * 100) / 100); };
  const auto figure = [&](const sense::Figure& told) {
    return told.value ? rounded(*told.value) : JsonValue();
  };
  return JsonValue::object({{"running", figure(node.queue_running)},
                            {"waiting", figure(node.queue_waiting)},
                            {"others", rounded(node.queue_others)},
                            {"spread", rounded(node.queue_spread)},
                            {"confidence", sense::to_text(node.queue_running.confidence)},
                            {"source", node.queue_running.source},
                            {"age_ms", node.queue_age.as_ms()},
                            {"lag_ms", node.queue_lag.as_ms()}});
}

// What it told once and tells no more, since when.
JsonValue lost_value(const sense::NodeReport& node) {
  JsonValue lost = JsonValue::array();
  for (const sense::ToldField& field : node.fields) {
    if (!field.is_lost) continue;
    lost.push(JsonValue::object({{"field", field.field},
                                 {"name", field.name},
                                 {"gone_ms", (node.at - field.since).as_ms()}}));
  }
  return lost;
}

JsonValue node_value(const sense::NodeReport& node) {
  JsonValue models = JsonValue::array();
  for (const std::string& model : node.models) models.push(model);
  JsonValue value = JsonValue::object(
      {{"name", node.name},
       {"place", to_text(node.place)},
       {"engine", node.engine},
       {"state", state_of(node)},
       {"why", node.why},
       {"in_flight", node.in_flight},
       {"line", node.line},
       {"running", number_or_null(node.running)},
       {"waiting", number_or_null(node.waiting)},
       {"kv_usage", number_or_null(node.kv_usage)},
       {"ttft_ms_p50", ms_or_null(node.ttft_p50)},
       {"tpot_ms_p50", ms_or_null(node.tpot_p50)},
       {"age_ms", node.reading_age ? JsonValue(node.reading_age->as_ms()) : JsonValue()},
       {"models", std::move(models)}});
  if (node.queue_running.value) value.add("queue", queue_value(node));
  if (!node.advice_en.empty()) {
    value.add("advice", JsonValue::object({{"en", node.advice_en}, {"zh", node.advice_zh}}));
  }
  JsonValue load = load_value(node.load, node.at);
  if (!load.as_object()->empty()) value.add("load", std::move(load));
  if (node.step.is_known()) value.add("step", step_value(node.step));
  JsonValue lost = lost_value(node);
  if (!lost.as_array()->empty()) value.add("lost", std::move(lost));
  return value;
}

JsonValue share_value(const meter::Share& share, const std::string& currency) {
  return JsonValue::object({{"window_s", number_value(share.window.as_seconds())},
                            {"local_requests", share.local_requests},
                            {"cloud_requests", share.cloud_requests},
                            {"local_tokens", share.local_tokens},
                            {"cloud_tokens", share.cloud_tokens},
                            {"cloud_cost", number_value(share.cloud_cost.units())},
                            {"currency", currency}});
}

JsonValue side_value(const proxy::ShadowSide& side) {
  return JsonValue::object({{"sent", static_cast<int64_t>(side.sent)},
                            {"cloud", static_cast<int64_t>(side.cloud)},
                            {"kept", static_cast<int64_t>(side.kept)},
                            {"cost", number_value(side.cost.units())},
                            {"ttft_ms_mean", side.ttft_mean().as_ms()}});
}

JsonValue shadow_value(const std::optional<proxy::ShadowReport>& shadow,
                       const std::string& currency) {
  if (!shadow) return JsonValue::object({{"on", false}});
  return JsonValue::object({{"on", true},
                            {"name", shadow->name},
                            {"since_ms", ms_of(shadow->since)},
                            {"decisions", static_cast<int64_t>(shadow->decisions)},
                            {"passed_over", static_cast<int64_t>(shadow->passed_over)},
                            {"differ", static_cast<int64_t>(shadow->differ())},
                            {"to_cloud", static_cast<int64_t>(shadow->to_cloud)},
                            {"to_home", static_cast<int64_t>(shadow->to_home)},
                            {"other_node", static_cast<int64_t>(shadow->other_node)},
                            {"other_verdict", static_cast<int64_t>(shadow->other_verdict)},
                            {"first", side_value(shadow->first)},
                            {"second", side_value(shadow->second)},
                            {"currency", currency}});
}

JsonValue decision_value(const proxy::DecisionReport& decision) {
  return JsonValue::object(
      {{"id", static_cast<int64_t>(decision.sequence)},
       {"time_ms", ms_of(decision.at)},
       {"request", decision.request},
       {"model", decision.model},
       {"key", decision.key},
       {"verdict", decision.verdict},
       {"node", decision.node},
       {"place", decision.place},
       {"reason", decision.reason},
       {"numbers", JsonValue::object(
                       {{"level", number_value(decision.level)},
                        {"line", decision.line},
                        {"ttft_ms", decision.ttft_ms},
                        {"tpot_ms", number_value(static_cast<double>(decision.tpot_us) / 1e3)}})},
       {"words", JsonValue::object({{"en", decision.words_en}, {"zh", decision.words_zh}})}});
}

}  // namespace

Water water_of(const std::vector<sense::NodeReport>& nodes) {
  Water water;
  bool limited = true;
  for (const sense::NodeReport& node : nodes) {
    const bool counts =
        node.place == valve::Place::local && node.enabled && node.health != valve::Health::down;
    if (!counts) continue;
    water.in_flight += node.in_flight;
    water.line += node.line;
    limited = limited && node.line > 0;
  }
  if (!limited) water.line = 0;
  if (water.line > 0) {
    water.level = static_cast<double>(water.in_flight) / static_cast<double>(water.line);
  }
  return water;
}

std::string status_json(const StatusParts& parts) {
  const Water water = water_of(parts.nodes);
  JsonValue nodes = JsonValue::array();
  for (const sense::NodeReport& node : parts.nodes) nodes.push(node_value(node));
  JsonValue status = JsonValue::object(
      {{"version", parts.box.version},
       {"time_ms", ms_of(parts.at)},
       {"uptime_s", parts.box.uptime.as_us() / 1'000'000},
       {"valve", JsonValue::object({{"overflow", parts.box.overflow},
                                    {"hold", parts.box.hold},
                                    {"open", parts.box.open}})},
       {"water", JsonValue::object({{"level", number_value(water.level)},
                                    {"in_flight", water.in_flight},
                                    {"line", water.line}})},
       {"share", share_value(parts.share, parts.box.currency)},
       {"queue", JsonValue::object({{"length", count(parts.queue.length)},
                                    {"length_max", count(parts.queue.length_max)}})},
       {"nodes", std::move(nodes)},
       {"accelerators", accelerators_value(parts.accelerators, parts.now)}});
  if (parts.tunnels.joined) status.add("tunnel", tunnels_value(parts.tunnels, parts.now));
  if (parts.shadow) status.add("shadow", shadow_value(parts.shadow, parts.box.currency));
  if (!parts.box.health.empty()) status.add("health", parts.box.health);
  return ports::to_json(status);
}

std::string shadow_json(const std::optional<proxy::ShadowReport>& shadow,
                        const std::string& currency) {
  return ports::to_json(shadow_value(shadow, currency));
}

std::string decision_json(const proxy::DecisionReport& decision) {
  return ports::to_json(decision_value(decision));
}

std::string decisions_json(const std::vector<proxy::DecisionReport>& decisions) {
  JsonValue list = JsonValue::array();
  for (const proxy::DecisionReport& decision : decisions) list.push(decision_value(decision));
  return ports::to_json(JsonValue::object({{"decisions", std::move(list)}}));
}

}  // namespace sluice::web
