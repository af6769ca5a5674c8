#include "firmware/sense/engine_facts.h"

#include <algorithm>

#include "firmware/upstream/endpoint.h"
#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

Error fault_of(std::string_view yaml) {
  const Result<ports::ConfigNode> node = ports::parse_config(yaml, "x.yaml");
  REQUIRE(node);
  const Result<EngineFacts> facts = read_engine_facts(*node, "x.yaml");
  REQUIRE_FALSE(facts);
  return facts.error();
}

TEST_CASE("engine facts: every built-in description is understood and named like its file") {
  int files = 0;
  for (const EmbeddedFile& file : drivers::embedded_engines()) {
    CAPTURE(std::string(file.name));
    const EngineFacts facts = built_in_facts(file.name.substr(0, file.name.size() - 5));
    CHECK(facts.name + ".yaml" == file.name);
    for (const std::string& word : facts.endpoints) {
      CHECK_MESSAGE(upstream::endpoint_from_word(word).has_value(), word);
    }
    ++files;
  }
  CHECK(files >= 3);
}

TEST_CASE("engine facts: llama.cpp blocks, may sleep, and tells its slots") {
  const EngineFacts facts = built_in_facts("llamacpp");
  CHECK(facts.metrics_path == "/metrics");
  CHECK(facts.health_path == "/health");
  CHECK(facts.models_path == "/v1/models");
  REQUIRE(facts.slots.has_value());
  CHECK(facts.slots->path == "/props");
  CHECK(facts.slots->slots_field == "total_slots");
  CHECK(facts.slots->asleep_field == "is_sleeping");
  CHECK(facts.metrics_block_while_decoding);
  CHECK(facts.idle_scrape == Duration::seconds(60));
}

TEST_CASE("engine facts: alternatives keep their order, and the names of all series are listed") {
  const EngineFacts facts = built_in_facts("vllm");
  const auto& kv = facts.sources(EngineField::kv_usage);
  REQUIRE(kv.size() == 3);
  CHECK(kv[0].metric == "vllm:kv_cache_usage_perc");
  CHECK(kv[0].aggregate == Aggregate::max);
  CHECK(kv[1].metric == "vllm:gpu_cache_usage_perc");
  const auto& awake = facts.sources(EngineField::awake);
  REQUIRE(awake.size() == 1);
  REQUIRE(awake[0].labels.size() == 1);
  CHECK(awake[0].labels[0].name == "sleep_state");
  const auto& names = facts.series_names;
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::binary_search(names.begin(), names.end(), "vllm:inter_token_latency_seconds_bucket"));
  CHECK(std::binary_search(names.begin(), names.end(), "vllm:num_requests_running"));
  CHECK_FALSE(std::binary_search(names.begin(), names.end(), "vllm:time_to_first_token_seconds"));
}

TEST_CASE("engine facts: an engine of which nothing is known has a model list only") {
  const EngineFacts facts = built_in_facts("openai");
  CHECK(facts.models_path == "/v1/models");
  CHECK_FALSE(facts.metrics_path.has_value());
  CHECK_FALSE(facts.health_path.has_value());
  CHECK(facts.series_names.empty());
}

TEST_CASE(
    "engine facts: an engine that does not say what it speaks is taken for the oldest three") {
  CHECK(facts_from("engine: a\n").endpoints ==
        std::vector<std::string>{"chat_completions", "completions", "embeddings"});
  CHECK(facts_from("engine: a\nendpoints: [rerank]\n").endpoints ==
        std::vector<std::string>{"rerank"});
}

TEST_CASE("engine facts: what is not understood is refused with its line") {
  const struct {
    const char* yaml;
    int line;
    const char* says;
  } rows[] = {
      {"engine: a\nmetric: /m\n", 2, "unknown field 'metric'"},
      {"health: /h\n", 1, "no 'engine'"},
      {"engine: a\nhealth: h\n", 2, "begins with /"},
      {"engine: a\nhealth: [/h]\n", 2, "one value"},
      {"engine: a\nmetrics:\n  path: /m\n", 1, "without 'fields'"},
      {"engine: a\nmetrics:\n  path: /m\n  block_while_decoding: yes\n", 4, "true or false"},
      {"engine: a\nmetrics:\n  path: /m\n  idle_scrape_s: -1\n", 4, "whole seconds"},
      {"engine: a\nslots:\n  path: /p\n", 3, "needs 'path' and 'field'"},
      {"engine: a\nfields:\n  runing:\n    - metric: x\n", 4, "unknown field 'runing'"},
      {"engine: a\nfields:\n  running: x\n", 3, "list of 1 to 16"},
      {"engine: a\nfields:\n  running:\n    - scale: 2\n", 4, "no 'metric'"},
      {"engine: a\nfields:\n  running:\n    - metric: x\n      scale: 0\n", 5, "above zero"},
      {"engine: a\nfields:\n  running:\n    - metric: x\n      aggregate: min\n", 5, "sum, max"},
      {"engine: a\nfields:\n  ttft:\n    - metric: x\n      aggregate: max\n", 5, "only be summed"},
      {"engine: a\nendpoints: chat_completions\n", 2, "list of 1 to 32"},
      {"engine: a\nendpoints:\n  - [x]\n", 3, "is a name"},
      {"engine: a\nfields:\n  running:\n    - metric: x\n      labels: 3\n", 5, "a map"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.yaml);
    const Error error = fault_of(row.yaml);
    CHECK(error.kind == ErrorKind::refused);
    CHECK(error.where == "x.yaml:" + std::to_string(row.line));
    CHECK_MESSAGE(error.text.find(row.says) != std::string::npos, error.text);
  }
}

}  // namespace
}  // namespace sluice::sense
