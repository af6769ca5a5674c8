// What must be known of one kind of inference engine to observe it: where it answers, and which of
// its metrics mean what. Read from one YAML file (drivers/engines/README.md tells the format).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/config.h"

namespace sluice::sense {

// What is wanted of an engine, whatever it calls it. Counters count since the engine's start.
enum class EngineField {
  running,             // requests in the batch
  waiting,             // requests in the engine's own queue
  limit,               // requests it runs at once
  kv_usage,            // 0..1
  prompt_tokens,       // counter
  generation_tokens,   // counter
  generation_seconds,  // counter
  preemptions,         // counter
  awake,               // zero: the engine sleeps
  ttft,                // histogram, seconds
  tpot,                // histogram, seconds
  queue_time,          // histogram, seconds
};
inline constexpr size_t kEngineFieldCount = 12;
inline constexpr size_t kEngineAlternativesMax = 16;
inline constexpr size_t kEngineEndpointsMax = 32;

const char* to_text(EngineField field);
bool is_histogram(EngineField field);

enum class Aggregate { sum, max, avg };  // over the series that match

struct LabelMatch {
  std::string name;
  std::string value;
};

struct MetricSource {
  std::string metric;  // of a histogram: without _bucket, _sum, _count
  std::vector<LabelMatch> labels;
  Aggregate aggregate = Aggregate::sum;
  double scale = 1;  // to the unit of the field
};

// A JSON document in which the engine tells its limit.
struct SlotsSource {
  std::string path;
  std::string slots_field;
  std::string asleep_field;  // boolean; empty = it does not tell
};

struct EngineFacts {
  std::string name;
  std::optional<std::string> health_path;
  std::optional<std::string> models_path;
  std::optional<std::string> metrics_path;
  std::optional<SlotsSource> slots;
  // What it speaks, by the words of settings.
  std::vector<std::string> endpoints = {"chat_completions", "completions", "embeddings"};
  bool metrics_block_while_decoding = false;  // a late page means busy
  Duration idle_scrape;                       // the pace while nothing runs; zero = as always
  std::string notes;
  std::array<std::vector<MetricSource>, kEngineFieldCount> fields;  // tried in order
  std::vector<std::string> series_names;  // all that the fields can use, sorted, unique

  const std::vector<MetricSource>& sources(EngineField field) const {
    return fields[static_cast<size_t>(field)];
  }
};

// `name` is the file's name, for errors. Errors: refused, with the line.
Result<EngineFacts> read_engine_facts(const ports::ConfigNode& node, std::string_view name);

}  // namespace sluice::sense
