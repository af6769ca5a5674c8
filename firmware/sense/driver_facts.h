// What must be known of one kind of inference engine, or of one accelerator's exporter, to observe
// it: what proves that it is this one, where it answers, which of its names mean what, and how not
// to harm it. Read from one YAML file; drivers/engines/README.md tells the format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/config.h"

namespace sluice::sense {

inline constexpr size_t kDriverAlternativesMax = 16;  // of one field
inline constexpr size_t kDriverListMax = 32;          // endpoints, names, conditions, paths, quirks
inline constexpr size_t kDriverDocumentsMax = 8;
inline constexpr size_t kDriverTextMax = 2000;  // bytes of one text

enum class DriverKind {
  engine,
  accelerator,
  router,  // stands before engines: no engine itself, and no load is read from it
};

// What is wanted of an engine, whatever it calls it. Counters count since the engine's start.
enum class EngineField {
  running,            // requests in the batch
  waiting,            // requests in the engine's own queue
  in_flight,          // both together, where it tells no more
  limit,              // requests it runs at once
  kv_usage,           // 0..1
  kv_tokens,          // tokens that its cache holds
  prefix_hit_rate,    // 0..1, as the engine reckons it
  prefix_queries,     // counter, tokens
  prefix_hits,        // counter, tokens
  prompt_tokens,      // counter
  generation_tokens,  // counter
  preemptions,        // counter
  loaded_models,      // models in memory; 0: the next request waits for loading
  asleep,             // 1 it sleeps, 0 it does not
  loading,            // 1 its model is being loaded, 0 it is not
  ttft_last,          // seconds, of the last request only
  tpot_last,
  ttft,  // histogram, seconds
  tpot,
  queue_time,
};
inline constexpr size_t kEngineFieldCount = 20;

enum class AcceleratorField {
  busy,  // 0..1
  memory_used_bytes,
  memory_total_bytes,
  power_w,
  temperature_c,
  health,  // 1 well, 0 not
};
inline constexpr size_t kAcceleratorFieldCount = 6;

const char* to_text(DriverKind kind);
const char* to_text(EngineField field);
const char* to_text(AcceleratorField field);
bool is_histogram(EngineField field);

enum class Aggregate {  // over the series that match
  sum,                  // what an engine's fields do unless they say otherwise
  max,
  avg,
  count,
  newest,  // by timestamp, then the last on the page; what an accelerator's fields do
};

struct LabelMatch {
  std::string name;
  std::string value;
  bool operator==(const LabelMatch&) const = default;
};

// Numbers by which "unknown" is written. Besides, NaN, infinities, negative numbers and those from
// 9.2e18 on are never believed.
struct Sentinel {
  double value = 0;
  bool and_above = false;
  bool operator==(const Sentinel&) const = default;
};

// One way to read a field. Of what is not told there is no value, never 0.
struct ValueSource {
  enum class Form {
    metric,  // metrics[0]; of a histogram field its base name
    labels,  // the product of `value_labels` of metrics[0]: data that stand in labels
    ratio,   // metrics[0] / metrics[1]
    sum_of,  // all of `metrics`, each of which must be there
    per,     // of a histogram field: sum metrics[0], count metrics[1], no buckets
    member,  // `member` of the JSON document `document`
  } form = Form::metric;
  std::vector<std::string> metrics;
  std::vector<std::string> value_labels;
  std::string document;
  std::string member;                 // "a.b", "list[].a", "[].a"
  std::optional<std::string> equals;  // of a member: 1 if it is this text, 0 if another
  std::vector<LabelMatch> labels;
  Aggregate aggregate = Aggregate::sum;
  double scale = 1;                                 // to the unit of the field
  bool percent_above_one = false;                   // a share that some releases tell in percent
  std::vector<Sentinel> sentinels;                  // besides the driver's
  std::vector<std::pair<double, double>> meanings;  // told -> meant; what is not listed is unknown

  std::string shown;  // its name for people, without prefix

  bool is_derived() const {
    return form == Form::ratio || form == Form::sum_of || form == Form::per;
  }
  bool operator==(const ValueSource&) const = default;
};

struct DocumentSource {
  std::string name;  // in this file
  std::string path;
  bool at_scrape_pace = false;  // else at the pace of health probes
  bool without_page = false;    // asked only while no metrics page is answered
  std::vector<int> statuses;    // read besides 2xx, e.g. 503 while loading
  bool operator==(const DocumentSource&) const = default;
};

struct LabelCondition {
  std::string metric;  // on whose series; empty = on any
  std::string label;
  enum class Test { present, absent, starts_with, not_starts_with } test = Test::present;
  std::string text;
  bool operator==(const LabelCondition&) const = default;
};

struct DocumentCondition {
  std::string path;
  std::string member;
  std::optional<std::string> equals;
  bool operator==(const DocumentCondition&) const = default;
};

// A page is this driver's if all of this holds. A document proves it by itself.
struct FingerprintFacts {
  std::vector<std::string> all_of;  // names of series
  std::vector<std::string> any_of;
  std::vector<std::string> none_of;
  std::vector<LabelCondition> labels;
  std::vector<DocumentCondition> documents;  // any of them

  bool has_page() const { return !all_of.empty() || !any_of.empty(); }
  bool operator==(const FingerprintFacts&) const = default;
};

struct ScrapeFacts {
  std::vector<std::string> pages;  // paths of the metrics page: the first that answers
  int metrics_port = 0;            // zero: the port of the API
  bool blocks_while_busy = false;  // a late page means busy
  Duration idle_gap;               // between looks while nothing runs: they keep it awake
  Duration gap_min;                // a look more often than this tells nothing new, or costs
  Duration refresh;                // how often the origin renews its figures; zero = at every look
  Duration stale_after;            // of the figures; zero = as the settings say
  std::vector<std::pair<std::string, std::string>> never_ask;  // path, why
  bool operator==(const ScrapeFacts&) const = default;
};

struct DriverFacts {
  std::string name;
  DriverKind kind = DriverKind::engine;
  std::string title;
  std::string vendor;
  std::string purpose;  // `for`: what it is for
  int port = 0;  // that it listens on unless told otherwise; proves nothing. Zero: none known
  std::vector<std::string> sources;
  std::vector<std::string> quirks;  // what an operator should know, in English
  std::string no_names;  // not empty: nothing public tells its names; this is said instead

  std::optional<std::string> health_path;
  std::optional<std::string> models_path;
  std::vector<std::string> endpoints = {"chat_completions", "completions", "embeddings"};
  ScrapeFacts scrape;
  std::vector<DocumentSource> documents;
  FingerprintFacts fingerprint;
  std::vector<Sentinel> sentinels;

  // Names may carry a prefix that an operator chose: one of these (tried in order), or any other.
  std::vector<std::string> prefixes = {""};
  bool any_prefix = false;

  // Accelerators: which label tells one from another. The first that a series carries; each
  // partition label that it carries too, with another value than `partition_whole`, is added.
  std::vector<std::string> id_labels;
  std::vector<std::string> partition_labels;
  std::string partition_whole;
  std::vector<std::string> name_labels;
  std::string name_metric;  // an info metric whose labels name the device; empty: each series does

  std::array<std::vector<ValueSource>, kEngineFieldCount> engine_fields;  // tried in order
  std::array<std::vector<ValueSource>, kAcceleratorFieldCount> accelerator_fields;
  // All series that the fields, the fingerprint and the names can use, sorted, unique; empty if any
  // may count (a prefix is unknown): what ExpositionLimits::names wants.
  std::vector<std::string> series_names;

  const std::vector<ValueSource>& sources_of(EngineField field) const {
    return engine_fields[static_cast<size_t>(field)];
  }
  const std::vector<ValueSource>& sources_of(AcceleratorField field) const {
    return accelerator_fields[static_cast<size_t>(field)];
  }
  bool reads_page() const;  // some field of an engine is read from its metrics page
  const DocumentSource* document(std::string_view document_name) const;  // null if there is none
  bool operator==(const DriverFacts&) const = default;
};

// `file` is the file's name, for errors. Errors: refused, with file:line and what to write.
Result<DriverFacts> read_driver_facts(const ports::ConfigNode& node, std::string_view file);

}  // namespace sluice::sense
