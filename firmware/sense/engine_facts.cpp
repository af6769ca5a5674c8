#include "firmware/sense/engine_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "firmware/base/text.h"

namespace sluice::sense {

namespace {

using ports::ConfigNode;
using Kind = ports::ConfigNode::Kind;

constexpr std::array<const char*, kEngineFieldCount> kFieldNames = {"running",
                                                                    "waiting",
                                                                    "limit",
                                                                    "kv_usage",
                                                                    "prompt_tokens",
                                                                    "generation_tokens",
                                                                    "generation_seconds",
                                                                    "preemptions",
                                                                    "awake",
                                                                    "ttft",
                                                                    "tpot",
                                                                    "queue_time"};

constexpr int64_t kIdleScrapeSecondsMax = 3600;

// Reads one file; the first fault is kept and ends the reading.
class FactsReader {
 public:
  explicit FactsReader(std::string_view file) : file_(file) {}

  Result<EngineFacts> read(const ConfigNode& node) {
    if (known(node,
              {"engine", "notes", "endpoints", "health", "models", "metrics", "slots", "fields"})) {
      read_top(node);
    }
    if (fault_) return *fault_;
    list_series();
    return std::move(facts_);
  }

 private:
  void read_top(const ConfigNode& node) {
    facts_.name = text_of(node, "engine").value_or("");
    if (facts_.name.empty()) fail(node, "no 'engine'; write the engine's name");
    facts_.notes = text_of(node, "notes").value_or("");
    facts_.health_path = path_of(node, "health");
    facts_.models_path = path_of(node, "models");
    read_endpoints(node);
    if (const ConfigNode* metrics = node.find("metrics")) read_metrics(*metrics);
    if (const ConfigNode* slots = node.find("slots")) read_slots(*slots);
    if (const ConfigNode* fields = node.find("fields")) read_fields(*fields);
    if (facts_.metrics_path && node.find("fields") == nullptr) {
      fail(node, "'metrics' without 'fields'; say what the metrics mean");
    }
  }

  void read_endpoints(const ConfigNode& node) {
    const ConfigNode* list = node.find("endpoints");
    if (list == nullptr) return;
    if (list->kind != Kind::list || list->items.empty() ||
        list->items.size() > kEngineEndpointsMax) {
      return fail(*list,
                  fmt::format("'endpoints' is a list of 1 to {} names", kEngineEndpointsMax));
    }
    facts_.endpoints.clear();
    for (const ConfigNode& item : list->items) {
      if (item.kind != Kind::scalar) return fail(item, "an endpoint is a name");
      facts_.endpoints.push_back(item.scalar);
    }
  }

  void read_metrics(const ConfigNode& node) {
    if (!known(node, {"path", "block_while_decoding", "idle_scrape_s"})) return;
    facts_.metrics_path = path_of(node, "path");
    if (!facts_.metrics_path) fail(node, "no 'path'; write the path of the metrics page");
    facts_.metrics_block_while_decoding = flag_of(node, "block_while_decoding");
    const std::optional<std::string> idle = text_of(node, "idle_scrape_s");
    if (!idle) return;
    const std::optional<int64_t> seconds = to_integer(*idle);
    if (!seconds || *seconds < 0 || *seconds > kIdleScrapeSecondsMax) {
      fail(*node.find("idle_scrape_s"), "'idle_scrape_s' is whole seconds from 0 to 3600");
      return;
    }
    facts_.idle_scrape = Duration::seconds(*seconds);
  }

  void read_slots(const ConfigNode& node) {
    if (!known(node, {"path", "field", "asleep_field"})) return;
    SlotsSource slots;
    slots.path = path_of(node, "path").value_or("");
    slots.slots_field = text_of(node, "field").value_or("");
    slots.asleep_field = text_of(node, "asleep_field").value_or("");
    if (slots.path.empty() || slots.slots_field.empty()) {
      fail(node, "'slots' needs 'path' and 'field'");
    }
    facts_.slots = std::move(slots);
  }

  void read_fields(const ConfigNode& node) {
    if (!known(node, {kFieldNames.begin(), kFieldNames.end()})) return;
    for (size_t i = 0; i < kEngineFieldCount; ++i) {
      const ConfigNode* list = node.find(kFieldNames[i]);
      if (list == nullptr) continue;
      if (list->kind != Kind::list || list->items.empty() ||
          list->items.size() > kEngineAlternativesMax) {
        fail(*list, fmt::format("'{}' is a list of 1 to {} metrics", kFieldNames[i],
                                kEngineAlternativesMax));
        return;
      }
      for (const ConfigNode& item : list->items) {
        facts_.fields[i].push_back(read_source(item, static_cast<EngineField>(i)));
      }
    }
  }

  MetricSource read_source(const ConfigNode& node, EngineField field) {
    MetricSource source;
    if (!known(node, {"metric", "labels", "aggregate", "scale"})) return source;
    source.metric = text_of(node, "metric").value_or("");
    if (source.metric.empty()) fail(node, "no 'metric'; write the name that the page shows");
    if (const ConfigNode* labels = node.find("labels")) read_labels(*labels, source);
    read_aggregate(node, field, source);
    if (const std::optional<std::string> scale = text_of(node, "scale")) {
      const std::optional<double> factor = to_number(*scale);
      if (!factor || !std::isfinite(*factor) || *factor <= 0) {
        fail(*node.find("scale"), "'scale' is a number above zero");
      }
      source.scale = factor.value_or(1);
    }
    return source;
  }

  void read_labels(const ConfigNode& node, MetricSource& source) {
    if (node.kind != Kind::map) return fail(node, "'labels' is a map of label and value");
    for (const auto& [name, value] : node.members) {
      if (value.kind != Kind::scalar) return fail(value, "a label's value is a text");
      source.labels.push_back({name, value.scalar});
    }
  }

  void read_aggregate(const ConfigNode& node, EngineField field, MetricSource& source) {
    const std::optional<std::string> word = text_of(node, "aggregate");
    if (!word) return;
    const ConfigNode& at = *node.find("aggregate");
    if (*word == "max") {
      source.aggregate = Aggregate::max;
    } else if (*word == "avg") {
      source.aggregate = Aggregate::avg;
    } else if (*word != "sum") {
      fail(at, fmt::format("aggregate '{}' is not known; write sum, max or avg", *word));
    }
    if (is_histogram(field) && *word != "sum") fail(at, "histograms can only be summed");
  }

  // A map with no other keys than these.
  bool known(const ConfigNode& node, const std::vector<std::string_view>& keys) {
    if (node.kind != Kind::map) {
      fail(node, "here stands a map of names and values");
      return false;
    }
    for (const auto& [key, value] : node.members) {
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
      fail(value, fmt::format("unknown field '{}'; known are {}", key, fmt::join(keys, ", ")));
      return false;
    }
    return true;
  }

  std::optional<std::string> text_of(const ConfigNode& node, std::string_view key) {
    const ConfigNode* value = node.find(key);
    if (value == nullptr) return std::nullopt;
    if (value->kind == Kind::scalar) return value->scalar;
    fail(*value, fmt::format("'{}' is one value", key));
    return std::nullopt;
  }

  std::optional<std::string> path_of(const ConfigNode& node, std::string_view key) {
    std::optional<std::string> path = text_of(node, key);
    const auto is_bad = [](char c) { return c <= ' ' || c == '#' || c == 0x7f; };
    if (path && (!path->starts_with('/') || std::any_of(path->begin(), path->end(), is_bad))) {
      fail(*node.find(key), fmt::format("'{}' is a path that begins with /", key));
    }
    return path;
  }

  bool flag_of(const ConfigNode& node, std::string_view key) {
    const std::optional<std::string> word = text_of(node, key);
    if (word && *word != "true" && *word != "false") {
      fail(*node.find(key), fmt::format("'{}' is true or false", key));
    }
    return word == "true";
  }

  void fail(const ConfigNode& at, std::string_view text) {
    if (fault_) return;
    fault_ = Error{ErrorKind::refused, fmt::format("{}:{}", file_, at.line), std::string(text)};
  }

  void list_series() {
    for (size_t i = 0; i < kEngineFieldCount; ++i) {
      for (const MetricSource& source : facts_.fields[i]) {
        if (!is_histogram(static_cast<EngineField>(i))) {
          facts_.series_names.push_back(source.metric);
          continue;
        }
        for (const char* part : {"_bucket", "_sum", "_count"}) {
          facts_.series_names.push_back(source.metric + part);
        }
      }
    }
    std::vector<std::string>& names = facts_.series_names;
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }

  std::string_view file_;
  EngineFacts facts_;
  std::optional<Error> fault_;
};

}  // namespace

const char* to_text(EngineField field) { return kFieldNames[static_cast<size_t>(field)]; }

bool is_histogram(EngineField field) {
  return field == EngineField::ttft || field == EngineField::tpot ||
         field == EngineField::queue_time;
}

Result<EngineFacts> read_engine_facts(const ports::ConfigNode& node, std::string_view name) {
  return FactsReader(name).read(node);
}

}  // namespace sluice::sense
