#include "firmware/sense/driver_facts.h"

#include <algorithm>

#include "firmware/upstream/endpoint.h"
#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

Error fault_of(std::string_view yaml) {
  const Result<ports::ConfigNode> node = ports::parse_config(yaml, "x.yaml");
  REQUIRE_MESSAGE(node, yaml);
  const Result<DriverFacts> facts = read_driver_facts(*node, "x.yaml");
  REQUIRE_FALSE_MESSAGE(facts.has_value(), yaml);
  return facts.error();
}

struct Fault {
  const char* yaml;  // after the head
  int line;          // counted from the line after the head
  const char* says;
};

void check_faults(const std::string& head, std::initializer_list<Fault> faults) {
  const auto lines = static_cast<int>(std::count(head.begin(), head.end(), '\n'));
  for (const Fault& fault : faults) {
    CAPTURE(fault.yaml);
    const Error error = fault_of(head + fault.yaml);
    CHECK(error.kind == ErrorKind::refused);
    CHECK(error.where == "x.yaml:" + std::to_string(lines + fault.line));
    CHECK_MESSAGE(error.text.find(fault.says) != std::string::npos, error.text);
  }
}

TEST_CASE(
    "driver facts: every built-in driver says what it is, whence it is known, what proves it") {
  int files = 0;
  const DriverCatalog catalog = built_in_catalog();
  for (const DriverFacts* facts : catalog.all()) {
    CAPTURE(facts->name);
    ++files;
    CHECK_FALSE(facts->title.empty());
    CHECK_FALSE(facts->purpose.empty());
    CHECK_FALSE(facts->sources.empty());
    for (const std::string& word : facts->endpoints) {
      CHECK_MESSAGE(upstream::endpoint_from_word(word).has_value(), word);
    }
    const bool is_proved = facts->fingerprint.has_page() || !facts->fingerprint.documents.empty();
    CHECK((is_proved || !facts->no_names.empty() || facts->name == "openai"));
    if (facts->kind == DriverKind::accelerator) CHECK_FALSE(facts->vendor.empty());
  }
  CHECK(files == 35);
}

TEST_CASE("driver facts: a vendor of which no names are public has a blank that says so") {
  const DriverCatalog catalog = built_in_catalog();
  for (const char* name : {"kunlunxin", "biren"}) {
    const DriverFacts* facts = catalog.accelerator(name);
    REQUIRE(facts != nullptr);
    CHECK(facts->no_names.starts_with("No public material tells the names"));
    CHECK(facts->scrape.pages.empty());
  }
}

TEST_CASE("driver facts: llama.cpp blocks, may sleep, and tells its slots in a document") {
  const DriverFacts facts = built_in_facts("llamacpp");
  CHECK(facts.scrape.pages == std::vector<std::string>{"/metrics"});
  CHECK(facts.health_path == "/health");
  CHECK(facts.models_path == "/v1/models");
  CHECK(facts.scrape.blocks_while_busy);
  CHECK(facts.scrape.idle_gap == Duration::seconds(60));
  REQUIRE(facts.document("props") != nullptr);
  CHECK(facts.document("props")->path == "/props");
  CHECK(facts.document("slots")->without_page);
  CHECK(facts.document("slots")->at_scrape_pace);
  CHECK(facts.document("health")->statuses == std::vector<int>{503});
  const std::vector<ValueSource>& limit = facts.sources_of(EngineField::limit);
  REQUIRE(limit.size() == 2);
  CHECK(limit[0].form == ValueSource::Form::member);
  CHECK(limit[0].member == "total_slots");
}

TEST_CASE("driver facts: alternatives keep their order, and the names of all series are listed") {
  const DriverFacts facts = built_in_facts("vllm");
  const auto& kv = facts.sources_of(EngineField::kv_usage);
  REQUIRE(kv.size() == 4);
  CHECK(kv[0].metrics == std::vector<std::string>{"vllm:kv_cache_usage_perc"});
  CHECK(kv[0].aggregate == Aggregate::max);
  CHECK(kv[1].metrics == std::vector<std::string>{"vllm:gpu_cache_usage_perc"});
  const auto& names = facts.series_names;
  CHECK(std::is_sorted(names.begin(), names.end()));
  for (const char* there : {"vllm:inter_token_latency_seconds_bucket", "vllm:num_requests_running",
                            "vllm:cache_config_info"}) {
    CHECK_MESSAGE(std::binary_search(names.begin(), names.end(), there), there);
  }
  CHECK_FALSE(std::binary_search(names.begin(), names.end(), "vllm:time_to_first_token_seconds"));
  CHECK(built_in_facts("openai").series_names.empty());
  CHECK(built_in_facts("amd").series_names.empty());  // any prefix: no name may be left out
}

TEST_CASE("driver facts: units become a factor to the field's own unit") {
  const DriverFacts facts = facts_from(
      "driver: x\nkind: accelerator\nfor: tests\nscrape: {pages: [/metrics]}\n"
      "identity: {labels: [uuid]}\nfields:\n"
      "  busy: [{metric: a, unit: percent}]\n  memory_used_bytes: [{metric: b, unit: KiB}]\n"
      "  power_w: [{metric: c, unit: mW}]\n  temperature_c: [{metric: d, scale: 0.5}]\n");
  CHECK(facts.sources_of(AcceleratorField::busy)[0].scale == 0.01);
  CHECK(facts.sources_of(AcceleratorField::memory_used_bytes)[0].scale == 1024);
  CHECK(facts.sources_of(AcceleratorField::power_w)[0].scale == 0.001);
  CHECK(facts.sources_of(AcceleratorField::temperature_c)[0].scale == 0.5);
  CHECK(facts.sources_of(AcceleratorField::busy)[0].aggregate == Aggregate::newest);
}

TEST_CASE(
    "driver facts: an engine that does not say what it speaks is taken for the oldest three") {
  const std::string head = "driver: a\nkind: engine\nfor: tests\n";
  CHECK(facts_from(head).endpoints ==
        std::vector<std::string>{"chat_completions", "completions", "embeddings"});
  CHECK(facts_from(head + "endpoints: [rerank]\n").endpoints == std::vector<std::string>{"rerank"});
}

TEST_CASE("driver facts: the head of a file is refused with its line if it is not understood") {
  check_faults("",
               {{"kind: engine\nfor: x\n", 1, "no 'driver'"},
                {"driver: a\nfor: x\n", 1, "no 'kind'"},
                {"driver: a b\nkind: engine\nfor: x\n", 1, "without blanks"},
                {"driver: a\nkind: gpu\nfor: x\n", 2, "write one of engine, accelerator, router"},
                {"driver: a\nkind: engine\n", 1, "no 'for'"},
                {"driver: a\nkind: engine\nfor: x\nmetric: /m\n", 4, "unknown key 'metric'"},
                {"- a\n", 1, "here stands a map"}});
  check_faults("driver: a\nkind: engine\nfor: x\n",
               {{"title: [x]\n", 1, "is one text"},
                {"title: \"\"\n", 1, "a text of 1 to 2000 bytes"},
                {"port: 70000\n", 1, "whole number from 1 to 65535"},
                {"source: here\n", 1, "a list of 1 to 32"},
                {"quirks:\n  - [x]\n", 2, "each of 'quirks' is one text"},
                {"endpoints: [\"a b\"]\n", 1, "a name without blanks"},
                {"health: h\n", 1, "begins with /"},
                {"models: \"/a b\"\n", 1, "begins with /"},
                {"sentinels: [\"<3\"]\n", 1, "is not a number"},
                {"identity: {labels: [x]}\n", 1, "'identity' is for accelerators"},
                {"prefix: {ususal: [x]}\n", 1, "unknown key 'ususal'"},
                {"prefix: {any: yes}\n", 1, "true or false"},
                {"fields:\n  running: [{metric: x}]\n", 2, "needs 'scrape: pages' or 'documents'"},
                {"no_names: none\nscrape: {pages: [/m]}\nfields:\n  running: [{metric: x}]\n", 4,
                 "remove one"}});
  check_faults(
      "driver: a\nkind: router\nfor: x\nscrape: {pages: [/m]}\n",
      {{"fields:\n  running: [{metric: x}]\n", 2, "a router tells nothing of one engine"}});
  check_faults(
      "driver: a\nkind: accelerator\nfor: x\n",
      {{"scrape: {pages: [/m]}\nidentity: {labels: [u]}\n", -2, "an accelerator needs"},
       {"scrape: {pages: [/m]}\nfields:\n  busy: [{metric: x}]\n", -2, "an accelerator needs"},
       {"identity: {label: [u]}\n", 1, "unknown key 'label'"}});
}

TEST_CASE("driver facts: scrape limits, documents and fingerprint are refused with their line") {
  check_faults(
      "driver: a\nkind: engine\nfor: x\n",
      {{"scrape: {page: [/m]}\n", 1, "unknown key 'page'"},
       {"scrape: {pages: /m}\n", 1, "a list of 1 to 32"},
       {"scrape: {pages: [m]}\n", 1, "a page is a path"},
       {"scrape: {pages: [/m], port: 0}\n", 1, "from 1 to 65535"},
       {"scrape: {pages: [/m], blocks_while_busy: 1}\n", 1, "true or false"},
       {"scrape:\n  pages: [/m]\n  idle_s: -1\n", 3, "from 0 to 3600"},
       {"scrape:\n  never_ask:\n    - {path: /x}\n", 3, "needs 'path' and 'why'"},
       {"documents:\n  - {path: /p}\n", 2, "no 'name'"},
       {"documents:\n  - {name: p}\n", 2, "no 'path'"},
       {"documents:\n  - {name: p, path: /p, pace: fast}\n", 2, "'pace' is probe"},
       {"documents:\n  - {name: p, path: /p, statuses: [99]}\n", 2, "from 200 to 599"},
       {"documents:\n  - {name: p, path: /p}\n  - {name: p, path: /q}\n", 3, "stands twice"},
       {"fingerprint: {none_of: [x]}\n", 1, "needs all_of, any_of or documents"},
       {"fingerprint:\n  any_of: [x]\n  labels:\n    - {label: l}\n", 4, "exactly one of is"},
       {"fingerprint:\n  any_of: [x]\n  labels:\n    - {label: l, is: here}\n", 4,
        "present or absent"},
       {"fingerprint:\n  any_of: [x]\n  labels:\n    - {is: present}\n", 4, "no 'label'"},
       {"fingerprint:\n  documents:\n    - {member: m}\n", 3, "no 'path'"},
       {"fingerprint:\n  documents:\n    - {path: /p}\n", 3, "no 'member'"}});
}

TEST_CASE("driver facts: a field that cannot be meant is refused with its line") {
  check_faults(
      "driver: a\nkind: engine\nfor: x\nscrape: {pages: [/m]}\n"
      "documents: [{name: d, path: /d}]\nfields:\n",
      {{"  runing:\n    - metric: x\n", 2, "unknown key 'runing'"},
       {"  running: x\n", 1, "list of 1 to 16"},
       {"  running:\n    - scale: 2\n", 2, "exactly one of metric, ratio, sum_of, document"},
       {"  running:\n    - {metric: x, ratio: [a, b]}\n", 2, "exactly one of"},
       {"  running:\n    - {metirc: x}\n", 2, "unknown key 'metirc'"},
       {"  running:\n    - {metric: [x]}\n", 2, "is one text"},
       {"  running:\n    - {ratio: [a]}\n", 2, "list of two metrics"},
       {"  running:\n    - {sum_of: [a]}\n", 2, "two metrics or more"},
       {"  running:\n    - {metric: x, scale: 0}\n", 2, "above zero"},
       {"  running:\n    - {metric: x, scale: two}\n", 2, "is not a number"},
       {"  running:\n    - {metric: x, unit: s}\n", 2, "has no unit"},
       {"  kv_usage:\n    - {metric: x, unit: MiB}\n", 2, "write one of ratio, percent"},
       {"  kv_usage:\n    - {metric: x, unit: ratio, scale: 2}\n", 2, "'unit' or 'scale'"},
       {"  running:\n    - {metric: x, aggregate: min}\n", 2, "write one of sum, max"},
       {"  ttft:\n    - {metric: x, aggregate: max}\n", 2, "only be summed"},
       {"  ttft:\n    - {ratio: [a, b]}\n", 2, "a histogram is read from"},
       {"  ttft:\n    - {document: d, member: m}\n", 2, "a histogram is read from"},
       {"  running:\n    - {metric: x, per: y}\n", 2, "'per' is for ttft"},
       {"  ttft:\n    - {metric: x, per: y, value_labels: [z]}\n", 2, "not both"},
       {"  running:\n    - {metric: x, labels: 3}\n", 2, "a map of label"},
       {"  running:\n    - {metric: x, labels: {a: [b]}}\n", 2, "a label's value is one text"},
       {"  running:\n    - {metric: x, member: y}\n", 2, "'member' needs 'document'"},
       {"  running:\n    - {document: d, member: y, value_labels: [z]}\n", 2, "needs 'metric'"},
       {"  running:\n    - {document: d, member: y, labels: {a: b}}\n", 2,
        "'labels' needs 'metric'"},
       {"  running:\n    - {document: e, member: y}\n", 2, "there is no document 'e'"},
       {"  running:\n    - {document: d}\n", 2, "no 'member'"},
       {"  running:\n    - {document: d, member: y, aggregate: count}\n", 2, "end in []"},
       {"  running:\n    - {metric: x, meanings: [1]}\n", 2, "told number: meant number"},
       {"  running:\n    - {metric: x, meanings: {a: 1}}\n", 2, "is not a number"},
       {"  running:\n    - {metric: x, percent_above_one: true}\n", 2, "for a share"},
       {"  running:\n    - {metric: x, sentinels: [x]}\n", 2, "is not a number"}});
  check_faults(
      "driver: a\nkind: accelerator\nfor: x\nscrape: {pages: [/m]}\nidentity: {labels: [u]}\n"
      "documents: [{name: d, path: /d}]\nfields:\n",
      {{"  running:\n    - metric: x\n", 2, "unknown key 'running'"},
       {"  busy:\n    - {document: d, member: m}\n", 2, "read from a metrics page"},
       {"  power_w:\n    - {metric: x, unit: percent}\n", 2, "write one of W, mW, uW"}});
}

TEST_CASE("driver catalog: a file adds a driver or takes the place of the one of its name") {
  DriverCatalog catalog = built_in_catalog();
  const size_t before = catalog.engines.size();
  const std::string text = "driver: brandx\nkind: engine\nfor: tests\n";
  REQUIRE(add_driver(catalog, DriverShelf::engines, "/site/engines/brandx.yaml", text));
  CHECK(catalog.engines.size() == before + 1);
  REQUIRE(add_driver(catalog, DriverShelf::engines, "vllm.yaml",
                     "driver: vllm\nkind: engine\nfor: ours\n"));
  CHECK(catalog.engines.size() == before + 1);
  CHECK(catalog.engine("vllm")->purpose == "ours");
  CHECK(catalog.engine("brandy") == nullptr);
}

TEST_CASE("driver catalog: a file of another name, kind or size is refused") {
  DriverCatalog catalog;
  const auto fault = [&](DriverShelf shelf, const char* file, const std::string& text) {
    const Result<void> added = add_driver(catalog, shelf, file, text);
    REQUIRE_FALSE(added);
    return added.error().where + " " + added.error().text;
  };
  CHECK(fault(DriverShelf::engines, "/d/b.yaml", "kind: engine\ndriver: a\nfor: x\n")
            .starts_with("/d/b.yaml:2 the driver is named 'a'"));
  CHECK(fault(DriverShelf::accelerators, "a.yaml", "driver: a\nkind: engine\nfor: x\n")
            .find("a.yaml:2 a driver of kind engine lies in the folder accelerators") == 0);
  CHECK(fault(DriverShelf::engines, "a.yaml", std::string(200000, '#')).find("at most 131072") !=
        std::string::npos);
  CHECK(fault(DriverShelf::engines, "a.yaml", "driver: [\n").starts_with("a.yaml:"));
  CHECK(catalog.all().empty());
}

}  // namespace
}  // namespace sluice::sense
