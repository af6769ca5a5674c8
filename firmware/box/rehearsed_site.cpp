#include "firmware/box/rehearsed_site.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "firmware/box/configure.h"

namespace sluice::box {

using ports::JsonValue;

namespace {

constexpr int kSlotsUsual = 256;

Error refused(std::string text) { return {ErrorKind::refused, "rehearse", std::move(text)}; }

Duration from_ms(double ms) { return Duration::from_seconds(ms / 1e3); }

rehearse::SteadyNode steady_node(const RehearseOptions& options, const JsonValue* seen) {
  rehearse::SteadyNode node;
  const auto learn = [seen](const char* name, Duration& value) {
    const double ms = seen != nullptr ? seen->number(name) : 0;
    if (ms > 0) value = from_ms(ms);
    return ms > 0;
  };
  if (learn("ttft_ms_p50", node.ttft)) node.us_per_prompt_token = 0;
  learn("tpot_ms_p50", node.tpot);
  if (options.cloud_ttft_ms >= 0) {
    node.ttft = from_ms(options.cloud_ttft_ms);
    node.us_per_prompt_token = 0;
  }
  if (options.cloud_tpot_ms >= 0) node.tpot = from_ms(options.cloud_tpot_ms);
  return node;
}

const JsonValue* member_named(const JsonValue& status, const std::string& node) {
  const JsonValue* nodes = status.find("nodes");
  if (nodes == nullptr || nodes->as_array() == nullptr) return nullptr;
  for (const JsonValue& one : *nodes->as_array()) {
    if (one.text("name") == node) return &one;
  }
  return nullptr;
}

valve::StepModel step_of(const JsonValue* seen) {
  valve::StepModel step;
  const JsonValue* told = seen == nullptr ? nullptr : seen->find("step");
  if (told == nullptr) return step;
  step.base_us = told->number("base_us");
  step.per_seq_us = told->number("per_seq_us");
  step.per_kv_token_us = told->number("per_kv_token_us");
  step.prefill_us_per_token = told->number("prefill_us_per_token");
  step.chunk_tokens = told->integer("chunk_tokens");
  step.sequences_max = static_cast<int>(told->integer("sequences_max"));
  step.spread = told->number("spread");
  return step;
}

// What is known of an engine's steps, and from where.
struct Belief {
  valve::StepModel step;
  std::string source;
};

Belief belief_of(const settings::NodeSettings& node, const JsonValue* seen,
                 const std::vector<sense::CardFacts>& cards) {
  Belief belief{step_of(seen), "learnt by the daemon"};
  if (belief.step.is_known()) return belief;
  for (const sense::CardFacts& card : cards) {
    if (card.node == node.name && card.url == node.url) return {card.step, "from its calibration"};
  }
  return {};
}

Result<rehearse::EngineSpec> engine_of(const RehearseOptions& options,
                                       const settings::NodeSettings& node, const Belief& belief) {
  if (!belief.step.is_known()) {
    return refused(fmt::format(
        "nothing is known of the engine of node \"{0}\": no daemon answers that has learnt it, and "
        "it was never measured. Measure it (sluiced calibrate {0}), or give its figures: --base-ms "
        "--per-seq-ms --per-kv-us --prefill-us --chunk",
        node.name));
  }
  rehearse::EngineSpec engine;
  engine.step = belief.step;
  if (options.chunk > 0) engine.step.chunk_tokens = options.chunk;
  engine.slots = options.slots > 0            ? options.slots
                 : node.concurrency_limit > 0 ? static_cast<int>(node.concurrency_limit)
                                              : kSlotsUsual;
  engine.kv_max.count = options.kv_tokens;
  return engine;
}

bool serves(const settings::NodeSettings& node, const std::string& model) {
  if (node.models.empty()) return true;  // what it lists is not known here
  return std::any_of(node.models.begin(), node.models.end(), [&](const auto& one) {
    return one.name == model ||
           std::find(one.aliases.begin(), one.aliases.end(), model) != one.aliases.end();
  });
}

std::string first_model(const settings::Settings& settings) {
  for (const settings::NodeSettings& node : settings.live.nodes) {
    const bool local = node.place == settings::Place::local && node.enabled;
    if (local && !node.models.empty()) return node.models.front().name;
  }
  return "";
}

std::string in_words(const rehearse::EngineSpec& engine, const std::string& name,
                     const std::string& source) {
  const valve::StepModel& step = engine.step;
  return fmt::format(
      "{}: a step takes {:.2f} ms + {:.3f} ms x sequences + {:.3f} ms x thousand tokens of context "
      "+ {:.3f} ms x prompt token, at most {} of these; {} sequences ({})",
      name, step.base_us / 1e3, step.per_seq_us / 1e3, step.per_kv_token_us,
      step.prefill_us_per_token / 1e3, step.chunk_tokens, engine.slots, source);
}

void set_level(const RehearseOptions& options, valve::ServiceLevel& level) {
  if (options.ttft_ms > 0) level.ttft_max = from_ms(options.ttft_ms);
  if (options.tpot_ms > 0) level.tpot_max = from_ms(options.tpot_ms);
}

}  // namespace

Result<RehearsedSite> site_by_flags(const RehearseOptions& options) {
  if (options.base_ms < 0 || options.prefill_us <= 0 || options.chunk <= 0) {
    return refused(
        "an engine by flags needs --base-ms, --prefill-us and --chunk (and --per-seq-ms and "
        "--per-kv-us, if they matter)");
  }
  RehearsedSite made;
  rehearse::EngineSpec engine;
  engine.step.base_us = options.base_ms * 1e3;
  engine.step.per_seq_us = options.per_seq_ms * 1e3;
  engine.step.per_kv_token_us = options.per_kv_us;
  engine.step.prefill_us_per_token = options.prefill_us;
  engine.step.chunk_tokens = options.chunk;
  engine.slots = options.slots > 0 ? options.slots : kSlotsUsual;
  engine.step.sequences_max = engine.slots;
  engine.kv_max.count = options.kv_tokens;
  rehearse::SiteNode here;
  here.profile.name = "here";
  here.profile.concurrency_limit = engine.slots;
  here.service = engine;
  rehearse::SiteNode cloud;
  cloud.profile.name = "cloud";
  cloud.profile.place = valve::Place::cloud;
  cloud.profile.price_in_nano = std::llround(options.price_in * 1e3);
  cloud.profile.price_out_nano = std::llround(options.price_out * 1e3);
  cloud.service = steady_node(options, nullptr);
  made.sources.push_back(in_words(engine, "here", "as given"));
  made.site.nodes = {here, cloud};
  set_level(options, made.site.level);
  return made;
}

Result<RehearsedSite> site_by_settings(const RehearseOptions& options,
                                       const settings::Settings& settings, const JsonValue& status,
                                       const std::vector<sense::CardFacts>& cards) {
  RehearsedSite made;
  made.policy = valve_policy(settings);
  made.currency = settings.start.currency;
  made.site.times = sense_times(settings);
  made.site.learn = settings.live.sense.learn;
  made.site.scrape = settings.live.sense.scrape;
  made.site.queue_max = static_cast<size_t>(settings.live.queue.length_max);
  made.site.queue_wait_max = settings.live.queue.wait_max;
  made.site.deadline = settings.live.limits.request_max;
  for (const settings::ServiceLevel& level : settings.live.service_levels) {
    if (level.name == "default") made.site.level = {level.ttft, level.tpot};
  }
  set_level(options, made.site.level);
  const std::string model = options.model.empty() ? first_model(settings) : options.model;
  for (const settings::NodeSettings& node : settings.live.nodes) {
    if (!node.enabled || !serves(node, model)) continue;
    rehearse::SiteNode rehearsed{node_profile(node, settings), {}};
    const JsonValue* seen = member_named(status, node.name);
    if (node.place == settings::Place::cloud) {
      rehearsed.service = steady_node(options, seen);
    } else {
      const Belief belief = belief_of(node, seen, cards);
      const Result<rehearse::EngineSpec> engine = engine_of(options, node, belief);
      if (!engine) return engine.error();
      rehearsed.service = *engine;
      made.sources.push_back(in_words(*engine, node.name, belief.source));
    }
    made.site.nodes.push_back(std::move(rehearsed));
  }
  if (made.sources.empty()) {
    return refused(
        fmt::format("no local node of the settings serves \"{}\": there is nothing to "
                    "rehearse; name another --model",
                    model));
  }
  return made;
}

}  // namespace sluice::box
