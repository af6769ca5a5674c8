#include "firmware/web/load_json.h"

#include <cmath>
#include <utility>

namespace sluice::web {

namespace {

using ports::JsonValue;
using sense::EngineLoad;
using sense::Figure;
using sense::LatencyLoad;

constexpr std::pair<const char*, Figure EngineLoad::*> kFigures[] = {
    {"running", &EngineLoad::running},
    {"waiting", &EngineLoad::waiting},
    {"in_flight", &EngineLoad::in_flight},
    {"limit", &EngineLoad::limit},
    {"kv_usage", &EngineLoad::kv_usage},
    {"kv_tokens", &EngineLoad::kv_tokens},
    {"prefix_hit_rate", &EngineLoad::prefix_hit_rate},
    {"prompt_tokens", &EngineLoad::prompt_tokens},
    {"generation_tokens", &EngineLoad::generation_tokens},
    {"preemptions", &EngineLoad::preemptions},
    {"loaded_models", &EngineLoad::loaded_models},
    {"asleep", &EngineLoad::asleep},
    {"loading", &EngineLoad::loading},
    {"ttft_last_s", &EngineLoad::ttft_last_s},
    {"tpot_last_s", &EngineLoad::tpot_last_s},
};
constexpr std::pair<const char*, LatencyLoad EngineLoad::*> kLatencies[] = {
    {"ttft", &EngineLoad::ttft},
    {"tpot", &EngineLoad::tpot},
    {"queue_time", &EngineLoad::queue_time},
};
constexpr std::pair<const char*, Figure LatencyLoad::*> kParts[] = {
    {"p50_s", &LatencyLoad::p50_s},
    {"p95_s", &LatencyLoad::p95_s},
    {"mean_s", &LatencyLoad::mean_s},
};

void put(JsonValue& into, const std::string& name, const Figure& figure, Instant now) {
  if (figure.value) into.add(name, figure_value(figure, now));
}

}  // namespace

JsonValue number_value(double value) {
  constexpr double kWholeMax = 9e15;  // whole doubles up to here are exact
  const bool is_whole = std::abs(value) < kWholeMax && value == std::floor(value);
  return is_whole ? JsonValue(static_cast<int64_t>(value)) : JsonValue(value);
}

JsonValue figure_value(const Figure& figure, Instant now) {
  const bool told = figure.value.has_value();
  return JsonValue::object({{"value", told ? number_value(*figure.value) : JsonValue()},
                            {"source", figure.source},
                            {"age_ms", told ? JsonValue((now - figure.at).as_ms()) : JsonValue()},
                            {"confidence", to_text(figure.confidence)}});
}

JsonValue load_value(const EngineLoad& load, Instant now) {
  JsonValue value = JsonValue::object({});
  for (const auto& [name, figure] : kFigures) put(value, name, load.*figure, now);
  for (const auto& [name, latency] : kLatencies) {
    for (const auto& [part, figure] : kParts) {
      put(value, std::string(name) + "_" + part, load.*latency.*figure, now);
    }
  }
  return value;
}

}  // namespace sluice::web
