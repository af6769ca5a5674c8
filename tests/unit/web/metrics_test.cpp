#include <doctest/doctest.h>

#include <limits>
#include <set>

#include "firmware/base/text.h"
#include "firmware/sense/exposition.h"
#include "firmware/web/metrics_page.h"
#include "firmware/web/metrics_text.h"
#include "tests/unit/web/world.h"

using namespace sluice;
using namespace sluice::web;
using valve::Place;

namespace {

meter::Distribution distribution(std::vector<double> bounds, std::vector<uint64_t> counts,
                                 double sum) {
  meter::Distribution out;
  out.bounds = std::move(bounds);
  out.counts = std::move(counts);
  out.sum = sum;
  for (const uint64_t count : out.counts) out.total += count;
  return out;
}

meter::NodeModelTotals some_totals() {
  meter::NodeModelTotals totals;
  totals.attempts[0] = 5;
  totals.attempts[2] = 1;
  totals.in_tokens = 1'000;
  totals.out_tokens = 2'000'000;
  totals.cached_tokens = 300;
  totals.cost = Money{1'500'000'000};
  totals.duration = distribution({0.5, 1, 2.5}, {1, 2, 0, 3}, 12.25);
  totals.ttft = distribution({0.1}, {6, 0}, 0.3);
  totals.tpot = distribution({0.01, 0.1}, {0, 6, 0}, 0.24);
  totals.in_per_request = distribution({1, 1024}, {0, 5, 1}, 1'000);
  totals.out_per_request = distribution({1, 1024}, {0, 6, 0}, 600);
  return totals;
}

std::string page_of(Box& box) {
  MetricsPage page(box.world);
  KeptAnswer answer;
  ports::HttpRequestHead head;
  head.method = "GET";
  head.target = "/metrics";
  page.open(head, {}, answer);
  CHECK(answer.status == 200);
  CHECK(answer.ended);
  CHECK(answer.fields.get("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  return answer.body;
}

bool has_line(const std::string& page, const std::string& line) {
  return ("\n" + page).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("metrics: the page is well formed and its figures are those of the box") {
  Box box;
  box.meter.all[{"gpu", "qwen", Place::local}] = some_totals();
  box.meter.all[{"east \"1\"\n\\", "qwen", Place::cloud}] = some_totals();
  auto gpu = node_report("gpu", Place::local, 29, 35);
  gpu.reading_age = Duration::ms(230);
  gpu.queue_running.value = 31.5;
  gpu.queue_waiting.value = 2;
  gpu.queue_others = 4.5;
  auto down = node_report("east", Place::cloud, 0, 0);
  down.health = valve::Health::down;
  box.nodes.nodes = {gpu, down};
  const std::string page = page_of(box);

  const sense::Exposition read = sense::parse_exposition(page);
  CHECK(read.bad_lines == 0);
  CHECK(read.duplicates == 0);
  CHECK(!read.truncated);
  CHECK(read.samples.size() > 60);
  CHECK(page.back() == '\n');
  CHECK(page.find('\r') == std::string::npos);

  for (const char* line : {
           "sluice_node_up{node=\"gpu\",place=\"local\"} 1",
           "sluice_node_up{node=\"east\",place=\"cloud\"} 0",
           "sluice_node_in_flight{node=\"gpu\",place=\"local\"} 29",
           "sluice_node_line{node=\"gpu\",place=\"local\"} 35",
           "sluice_node_reading_age_seconds{node=\"gpu\",place=\"local\"} 0.23",
           "sluice_node_engine_requests{node=\"gpu\",place=\"local\",state=\"running\"} 31.5",
           "sluice_node_engine_requests{node=\"gpu\",place=\"local\",state=\"waiting\"} 2",
           "sluice_node_other_requests{node=\"gpu\",place=\"local\"} 4.5",
           "sluice_queue_length 3",
           "sluice_queue_length_max 1000",
           "sluice_ledger_unstored_rows 7",
           "sluice_spent_this_month{currency=\"CNY\"} 12.5",
           "sluice_retries_total{result=\"sent\"} 5",
           "sluice_retries_total{result=\"denied\"} 2",
           "sluice_hedges_total{result=\"sent\"} 4",
           "sluice_hedges_total{result=\"won\"} 3",
           "sluice_hedges_total{result=\"denied\"} 1",
           "sluice_valve_open 1",
           "sluice_uptime_seconds 61",
           "process_open_fds 12",
           "process_resident_memory_bytes 4096",
           "sluice_build_info{version=\"0.1.0\"} 1",
           "sluice_attempts_total{node=\"gpu\",model=\"qwen\",outcome=\"served\"} 5",
           "sluice_attempts_total{node=\"gpu\",model=\"qwen\",outcome=\"refused\"} 1",
           "sluice_tokens_total{node=\"gpu\",model=\"qwen\",type=\"input\"} 1000",
           "sluice_tokens_total{node=\"gpu\",model=\"qwen\",type=\"output\"} 2000000",
           "sluice_cached_tokens_total{node=\"gpu\",model=\"qwen\"} 300",
           "sluice_cost_total{node=\"gpu\",model=\"qwen\",currency=\"CNY\"} 1.5",
           "sluice_cached_tokens_total{node=\"east \\\"1\\\"\\n\\\\\",model=\"qwen\"} 300",
       }) {
    CAPTURE(line);
    CHECK(has_line(page, line));
  }
  CHECK(page.find("sluice_node_line{node=\"east\"") == std::string::npos);
}

TEST_CASE("metrics: a histogram's buckets rise to the count") {
  Box box;
  box.meter.all[{"gpu", "qwen", Place::local}] = some_totals();
  const std::string page = page_of(box);
  const std::string labels = "{node=\"gpu\",gen_ai_request_model=\"qwen\"";
  const std::string name = "gen_ai_server_request_duration_seconds";
  CHECK(has_line(page, name + "_bucket" + labels + ",le=\"0.5\"} 1"));
  CHECK(has_line(page, name + "_bucket" + labels + ",le=\"1\"} 3"));
  CHECK(has_line(page, name + "_bucket" + labels + ",le=\"2.5\"} 3"));
  CHECK(has_line(page, name + "_bucket" + labels + ",le=\"+Inf\"} 6"));
  CHECK(has_line(page, name + "_sum" + labels + "} 12.25"));
  CHECK(has_line(page, name + "_count" + labels + "} 6"));
}

TEST_CASE("metrics: which of its driver's fields a node tells") {
  Box box;
  sense::NodeReport node = node_report("gpu", Place::local, 1, 2);
  node.fields = {{"running", "vllm:num_requests_running", true, false, Instant()},
                 {"kv_usage", "vllm:kv_cache_usage_perc", false, true, box.time.now()}};
  node.at = box.time.now() + Duration::seconds(60);
  box.nodes.nodes = {node};
  const std::string page = page_of(box);
  CHECK(has_line(page, "sluice_node_field_told{node=\"gpu\",field=\"running\"} 1"));
  CHECK(has_line(page, "sluice_node_field_told{node=\"gpu\",field=\"kv_usage\"} 0"));
  CHECK(has_line(page,
                 "sluice_node_field_gone_seconds{node=\"gpu\",field=\"kv_usage\",name=\"vllm:kv_"
                 "cache_usage_perc\"} 60"));
  CHECK(page.find("gone_seconds{node=\"gpu\",field=\"running\"") == std::string::npos);
}

TEST_CASE("metrics: tokens of one model are told once, over all nodes") {
  Box box;
  box.meter.all[{"gpu", "qwen", Place::local}] = some_totals();
  box.meter.all[{"east", "qwen", Place::cloud}] = some_totals();
  box.meter.all[{"west", "qwen", Place::cloud}] = {};  // has never counted
  const std::string page = page_of(box);
  const std::string labels = "{gen_ai_token_type=\"input\",gen_ai_request_model=\"qwen\"";
  CHECK(has_line(page, "gen_ai_client_token_usage_bucket" + labels + ",le=\"1024\"} 10"));
  CHECK(has_line(page, "gen_ai_client_token_usage_count" + labels + "} 12"));
  CHECK(has_line(page, "gen_ai_client_token_usage_sum" + labels + "} 2000"));
  CHECK(sense::parse_exposition(page).duplicates == 0);
}

TEST_CASE(
    "metrics: every family says HELP and TYPE once, before its samples, which stand together") {
  Box box;
  box.meter.all[{"gpu", "qwen", Place::local}] = some_totals();
  box.nodes.nodes = {node_report("gpu", Place::local, 1, 2), node_report("b", Place::cloud, 1, 2)};
  const std::string page = page_of(box);
  std::set<std::string> seen;
  std::string family;
  std::string type;
  for (const std::string_view line :
       split(std::string_view(page).substr(0, page.size() - 1), '\n')) {
    const auto words = split(line, ' ');
    if (line.starts_with("# HELP ")) {
      family = words[2];
      CHECK_MESSAGE(seen.insert(family).second, family);
      CHECK(words.size() > 3);
    } else if (line.starts_with("# TYPE ")) {
      CHECK(words[2] == family);
      type = words[3];
      CHECK((type == "counter") == family.ends_with("_total"));
    } else {
      std::string_view name = line.substr(0, line.find_first_of("{ "));
      CAPTURE(line);
      CHECK(name.starts_with(family));
      if (type != "histogram") CHECK(name == family);
    }
  }
  CHECK(seen.size() == 38);
}

TEST_CASE("metrics: what is not known is left out, and nobody who asks is named") {
  Box box;
  box.box.figures = {};
  box.decisions.add();
  box.decisions.made[0].key = "reports";
  box.keys.keys.emplace_back().name = "reports";
  const std::string page = page_of(box);
  CHECK(page.find("process_") == std::string::npos);
  CHECK(page.find("reports") == std::string::npos);
  CHECK(page.find("sk-") == std::string::npos);
  CHECK(sense::parse_exposition(page).bad_lines == 0);
}

TEST_CASE("metrics: values that are no numbers are written as the format wants them") {
  MetricsText text;
  text.family("a", "gauge", "A.");
  text.sample({{"x", "1"}}, std::numeric_limits<double>::quiet_NaN());
  text.sample({{"x", "2"}}, -std::numeric_limits<double>::infinity());
  text.sample({{"x", "3"}}, 1e300);
  const std::string page = text.take();
  CHECK(has_line(page, "a{x=\"1\"} NaN"));
  CHECK(has_line(page, "a{x=\"2\"} -Inf"));
  CHECK(sense::parse_exposition(page).bad_lines == 0);
}

TEST_CASE("metrics: accelerators have labelled series; what is not told, or is stale, has none") {
  Box box;
  const Instant now = box.time.now();
  sense::AcceleratorLoad gpu;
  gpu.id = "GPU-1";
  gpu.name = "H\"100";
  gpu.vendor = "nvidia";
  gpu.busy = {0.5, sense::Confidence::told, "nvml", now - Duration::ms(250)};
  gpu.power_w = {300, sense::Confidence::stale, "nvml", now - Duration::seconds(9)};
  gpu.health = {0, sense::Confidence::told, "nvml", now - Duration::ms(500)};
  box.accelerators.sources = {
      {"host nvml", "nvml", sense::AcceleratorSourceState::answers, "", Duration(), {gpu, gpu}},
      {"rack", "", sense::AcceleratorSourceState::silent, "refused", {}, {}}};
  const std::string page = page_of(box);
  const sense::Exposition read = sense::parse_exposition(page);
  CHECK(read.bad_lines == 0);
  CHECK(read.duplicates == 0);
  const std::string labels = "{source=\"host nvml\",accelerator=\"GPU-1\"";
  for (const std::string& line : {
           "sluice_accelerator_busy_ratio" + labels + "} 0.5",
           "sluice_accelerator_health" + labels + "} 0",
           "sluice_accelerator_age_seconds" + labels + "} 0.25",
           "sluice_accelerator_info" + labels + ",vendor=\"nvidia\",model=\"H\\\"100\"} 1",
           std::string("sluice_accelerator_source_up{source=\"host nvml\",driver=\"nvml\"} 1"),
           std::string("sluice_accelerator_source_up{source=\"rack\",driver=\"\"} 0"),
       }) {
    CAPTURE(line);
    CHECK(has_line(page, line));
  }
  for (const char* absent :
       {"sluice_accelerator_power_watts{", "sluice_accelerator_memory_used_bytes{",
        "sluice_accelerator_temperature_celsius{"}) {
    CHECK(page.find(absent) == std::string::npos);
  }
}
