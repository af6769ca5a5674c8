#include "firmware/sense/driver_facts.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/text.h"
#include "firmware/sense/driver_fields.h"
#include "firmware/sense/driver_schema.h"

namespace sluice::sense {

namespace {

using ports::ConfigNode;
using Kind = ports::ConfigNode::Kind;

constexpr std::array<const char*, kEngineFieldCount> kEngineFieldNames = {
    "running",           "waiting",         "in_flight",      "limit",       "kv_usage",
    "kv_tokens",         "prefix_hit_rate", "prefix_queries", "prefix_hits", "prompt_tokens",
    "generation_tokens", "preemptions",     "loaded_models",  "asleep",      "loading",
    "ttft_last",         "tpot_last",       "ttft",           "tpot",        "queue_time"};
constexpr std::array<const char*, kAcceleratorFieldCount> kAcceleratorFieldNames = {
    "busy", "memory_used_bytes", "memory_total_bytes", "power_w", "temperature_c", "health"};
constexpr std::array<std::string_view, 3> kKinds = {"engine", "accelerator", "router"};
constexpr int64_t kScrapeSecondsMax = 3600;

// Reads one file; the schema keeps the first fault.
class FactsReader {
 public:
  explicit FactsReader(std::string_view file) : schema_(file) {}

  Result<DriverFacts> read(const ConfigNode& node) {
    read_top(node);
    if (schema_.fault()) return *schema_.fault();
    check_whole(node);
    if (schema_.fault()) return *schema_.fault();
    list_series();
    return std::move(facts_);
  }

 private:
  void read_top(const ConfigNode& node) {
    if (!schema_.known(node,
                       {"driver", "kind", "title", "vendor", "for", "port", "source", "quirks",
                        "no_names", "endpoints", "health", "models", "scrape", "documents",
                        "fingerprint", "sentinels", "prefix", "identity", "fields"})) {
      return;
    }
    facts_.name = schema_.name(node, "driver");
    const std::string kind = schema_.name(node, "kind");
    if (schema_.fault()) return;
    facts_.kind =
        static_cast<DriverKind>(schema_.one_of(*node.find("kind"), kind, kKinds).value_or(0));
    read_words(node);
    if (const ConfigNode* scrape = node.find("scrape")) read_scrape(*scrape);
    read_documents(node);
    if (const ConfigNode* print = node.find("fingerprint")) read_fingerprint(*print);
    if (const ConfigNode* prefix = node.find("prefix")) read_prefix(*prefix);
    if (const ConfigNode* identity = node.find("identity")) read_identity(*identity);
    if (schema_.fault()) return;
    if (const ConfigNode* fields = node.find("fields"))
      read_driver_fields(*fields, schema_, facts_);
  }

  void read_words(const ConfigNode& node) {
    facts_.title = schema_.text(node, "title").value_or(facts_.name);
    facts_.vendor = schema_.text(node, "vendor").value_or("");
    const std::optional<std::string> purpose = schema_.text(node, "for");
    if (!purpose) schema_.fail(node, "no 'for'; say in a sentence what this driver is for");
    facts_.purpose = purpose.value_or("");
    facts_.port = static_cast<int>(schema_.integer(node, "port", 1, 65535).value_or(0));
    facts_.sources = schema_.texts(node, "source");
    facts_.quirks = schema_.texts(node, "quirks");
    facts_.no_names = schema_.text(node, "no_names").value_or("");
    facts_.health_path = schema_.path(node, "health");
    facts_.models_path = schema_.path(node, "models");
    if (node.find("endpoints") != nullptr) facts_.endpoints = schema_.names(node, "endpoints");
    facts_.sentinels = read_sentinels(node, schema_);
  }

  void read_scrape(const ConfigNode& node) {
    if (!schema_.known(node, {"pages", "port", "blocks_while_busy", "idle_s", "every_s_min",
                              "refresh_s", "stale_after_s", "never_ask"})) {
      return;
    }
    ScrapeFacts& scrape = facts_.scrape;
    scrape.pages = schema_.names(node, "pages");
    for (const std::string& page : scrape.pages) {
      if (!schema_.is_path(page)) schema_.fail(*node.find("pages"), "a page is a path: /metrics");
    }
    scrape.metrics_port = static_cast<int>(schema_.integer(node, "port", 1, 65535).value_or(0));
    scrape.blocks_while_busy = schema_.flag(node, "blocks_while_busy");
    scrape.idle_gap = seconds(node, "idle_s");
    scrape.gap_min = seconds(node, "every_s_min");
    scrape.refresh = seconds(node, "refresh_s");
    scrape.stale_after = seconds(node, "stale_after_s");
    for (const ConfigNode& item : schema_.items(node, "never_ask", kDriverListMax)) {
      if (!schema_.known(item, {"path", "why"})) return;
      const std::optional<std::string> path = schema_.path(item, "path");
      const std::optional<std::string> why = schema_.text(item, "why");
      if (!path || !why) return schema_.fail(item, "'never_ask' needs 'path' and 'why'");
      scrape.never_ask.emplace_back(*path, *why);
    }
  }

  Duration seconds(const ConfigNode& node, std::string_view key) {
    return Duration::seconds(schema_.integer(node, key, 0, kScrapeSecondsMax).value_or(0));
  }

  void read_documents(const ConfigNode& node) {
    for (const ConfigNode& item : schema_.items(node, "documents", kDriverDocumentsMax)) {
      if (!schema_.known(item, {"name", "path", "pace", "without_page", "statuses"})) return;
      DocumentSource document;
      document.name = schema_.name(item, "name");
      document.path = schema_.path(item, "path").value_or("");
      if (document.path.empty()) return schema_.fail(item, "no 'path'; write where it is answered");
      const std::string pace = schema_.text(item, "pace").value_or("probe");
      if (pace != "probe" && pace != "scrape") {
        return schema_.fail(*item.find("pace"), "'pace' is probe (the slow one) or scrape");
      }
      document.at_scrape_pace = pace == "scrape";
      document.without_page = schema_.flag(item, "without_page");
      for (const std::string& word : schema_.texts(item, "statuses")) {
        const std::optional<int64_t> status = to_integer(word);
        if (!status || *status < 200 || *status > 599) {
          return schema_.fail(*item.find("statuses"), "a status is a number from 200 to 599");
        }
        document.statuses.push_back(static_cast<int>(*status));
      }
      if (facts_.document(document.name) != nullptr) {
        return schema_.fail(item, fmt::format("the document '{}' stands twice", document.name));
      }
      facts_.documents.push_back(std::move(document));
    }
  }

  void read_fingerprint(const ConfigNode& node) {
    if (!schema_.known(node, {"all_of", "any_of", "none_of", "labels", "documents"})) return;
    FingerprintFacts& print = facts_.fingerprint;
    print.all_of = schema_.names(node, "all_of");
    print.any_of = schema_.names(node, "any_of");
    print.none_of = schema_.names(node, "none_of");
    for (const ConfigNode& item : schema_.items(node, "labels", kDriverListMax)) {
      print.labels.push_back(read_condition(item));
    }
    for (const ConfigNode& item : schema_.items(node, "documents", kDriverListMax)) {
      if (!schema_.known(item, {"path", "member", "equals"})) return;
      DocumentCondition condition;
      condition.path = schema_.path(item, "path").value_or("");
      condition.member = schema_.name(item, "member");
      condition.equals = schema_.text(item, "equals");
      if (condition.path.empty()) schema_.fail(item, "no 'path'; write where it is answered");
      print.documents.push_back(std::move(condition));
    }
    if (!print.has_page() && print.documents.empty()) {
      schema_.fail(node, "a fingerprint needs all_of, any_of or documents");
    }
  }

  LabelCondition read_condition(const ConfigNode& item) {
    using Test = LabelCondition::Test;
    LabelCondition condition;
    if (!schema_.known(item, {"metric", "label", "is", "starts_with", "not_starts_with"})) {
      return condition;
    }
    condition.metric = schema_.text(item, "metric").value_or("");
    condition.label = schema_.name(item, "label");
    const std::optional<std::string> is = schema_.text(item, "is");
    const std::optional<std::string> starts = schema_.text(item, "starts_with");
    const std::optional<std::string> not_starts = schema_.text(item, "not_starts_with");
    if ((is ? 1 : 0) + (starts ? 1 : 0) + (not_starts ? 1 : 0) != 1) {
      schema_.fail(item, "write exactly one of is, starts_with, not_starts_with");
      return condition;
    }
    if (is && *is != "present" && *is != "absent") {
      schema_.fail(*item.find("is"), "'is' is present or absent");
    }
    condition.test = is == "present"  ? Test::present
                     : is == "absent" ? Test::absent
                     : starts         ? Test::starts_with
                                      : Test::not_starts_with;
    condition.text = starts ? *starts : not_starts.value_or("");
    return condition;
  }

  void read_prefix(const ConfigNode& node) {
    if (!schema_.known(node, {"usual", "any"})) return;
    if (node.find("usual") != nullptr) facts_.prefixes = schema_.texts(node, "usual");
    facts_.any_prefix = schema_.flag(node, "any");
  }

  void read_identity(const ConfigNode& node) {
    if (!schema_.known(node, {"labels", "partition", "whole", "name", "name_metric"})) return;
    facts_.id_labels = schema_.names(node, "labels");
    facts_.partition_labels = schema_.names(node, "partition");
    facts_.partition_whole = schema_.text(node, "whole").value_or("");
    facts_.name_labels = schema_.names(node, "name");
    facts_.name_metric = schema_.text(node, "name_metric").value_or("");
  }

  void check_whole(const ConfigNode& node) {
    const bool accelerator = facts_.kind == DriverKind::accelerator;
    const bool has_fields = node.find("fields") != nullptr;
    if (!facts_.no_names.empty()) {
      if (has_fields) schema_.fail(*node.find("fields"), "'no_names' and 'fields'; remove one");
      return;
    }
    if (facts_.kind == DriverKind::router && has_fields) {
      return schema_.fail(*node.find("fields"),
                          "a router tells nothing of one engine; remove 'fields', and make a node "
                          "of each engine behind it");
    }
    if (accelerator && (!has_fields || facts_.scrape.pages.empty() || facts_.id_labels.empty())) {
      return schema_.fail(node,
                          "an accelerator needs 'scrape: pages', 'identity: labels' and 'fields'");
    }
    if (!accelerator && node.find("identity") != nullptr) {
      return schema_.fail(*node.find("identity"), "'identity' is for accelerators; remove it");
    }
    const bool reads = !facts_.scrape.pages.empty() || !facts_.documents.empty();
    if (has_fields && !reads) {
      schema_.fail(*node.find("fields"), "'fields' needs 'scrape: pages' or 'documents'");
    }
  }

  void list_series() {
    std::vector<std::string> names = facts_.fingerprint.all_of;
    const auto add = [&names](const std::vector<std::string>& more) {
      names.insert(names.end(), more.begin(), more.end());
    };
    add(facts_.fingerprint.any_of);
    add(facts_.fingerprint.none_of);
    for (const LabelCondition& condition : facts_.fingerprint.labels) {
      if (!condition.metric.empty()) names.push_back(condition.metric);
    }
    if (!facts_.name_metric.empty()) names.push_back(facts_.name_metric);
    for (size_t i = 0; i < kEngineFieldCount; ++i) {
      for (const ValueSource& source : facts_.engine_fields[i]) {
        add_series_names(source, is_histogram(static_cast<EngineField>(i)), names);
      }
    }
    for (const std::vector<ValueSource>& field : facts_.accelerator_fields) {
      for (const ValueSource& source : field) add_series_names(source, false, names);
    }
    if (facts_.any_prefix) return;
    for (const std::string& prefix : facts_.prefixes) {
      for (const std::string& name : names) facts_.series_names.push_back(prefix + name);
    }
    std::vector<std::string>& all = facts_.series_names;
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
  }

  DriverSchema schema_;
  DriverFacts facts_;
};

}  // namespace

const char* to_text(DriverKind kind) { return kKinds[static_cast<size_t>(kind)].data(); }
const char* to_text(EngineField field) { return kEngineFieldNames[static_cast<size_t>(field)]; }
const char* to_text(AcceleratorField field) {
  return kAcceleratorFieldNames[static_cast<size_t>(field)];
}

bool is_histogram(EngineField field) {
  return field == EngineField::ttft || field == EngineField::tpot ||
         field == EngineField::queue_time;
}

bool DriverFacts::reads_page() const {
  return std::any_of(engine_fields.begin(), engine_fields.end(), [](const auto& ways) {
    return std::any_of(ways.begin(), ways.end(), [](const ValueSource& source) {
      return source.form != ValueSource::Form::member;
    });
  });
}

const DocumentSource* DriverFacts::document(std::string_view document_name) const {
  for (const DocumentSource& candidate : documents) {
    if (candidate.name == document_name) return &candidate;
  }
  return nullptr;
}

Result<DriverFacts> read_driver_facts(const ports::ConfigNode& node, std::string_view file) {
  return FactsReader(file).read(node);
}

}  // namespace sluice::sense
