#include "firmware/web/status_json.h"

#include <doctest/doctest.h>

#include <limits>

#include "firmware/ports/json.h"
#include "tests/unit/web/world.h"

using namespace sluice;
using namespace sluice::web;
using valve::Health;
using valve::Place;

TEST_CASE("status: the whole text, member by member") {
  DoorUnderTest door;
  sense::NodeReport local = node_report("gpu", Place::local, 29, 35);
  local.running = 28;
  local.waiting = 0;
  local.kv_usage = 0.25;
  local.ttft_p50 = Duration::us(120'500);
  local.tpot_p50 = Duration::us(42'000);
  local.reading_age = Duration::us(230'900);
  sense::NodeReport cloud = node_report("east", Place::cloud, 4, 0);
  cloud.health = Health::slow_start;
  cloud.why = "came back";
  door.nodes.nodes = {local, cloud};
  door.meter.last_minute.local_requests = 9;
  door.meter.last_minute.cloud_requests = 2;
  door.meter.last_minute.local_tokens = 900;
  door.meter.last_minute.cloud_tokens = 200;
  door.meter.last_minute.cloud_cost = Money{12'300'000};
  CHECK(door.ask("GET", "/api/v1/status").body ==
        R"({"version":"0.1.0","time_ms":1795305600123,"uptime_s":61,)"
        R"("valve":{"overflow":"auto","hold":"off","open":true},)"
        R"("water":{"level":0.8285714285714286,"in_flight":29,"line":35},)"
        R"("share":{"window_s":60,"local_requests":9,"cloud_requests":2,"local_tokens":900,)"
        R"("cloud_tokens":200,"cloud_cost":0.0123,"currency":"CNY"},)"
        R"("queue":{"length":3,"length_max":1000},)"
        R"("nodes":[{"name":"gpu","place":"local","engine":"vllm","state":"up","why":"",)"
        R"("in_flight":29,"line":35,"running":28,"waiting":0,"kv_usage":0.25,)"
        R"("ttft_ms_p50":120.5,"tpot_ms_p50":42,"age_ms":230,"models":["qwen"]},)"
        R"({"name":"east","place":"cloud","engine":"vllm","state":"slow_start",)"
        R"("why":"came back","in_flight":4,"line":0,"running":null,"waiting":null,)"
        R"("kv_usage":null,"ttft_ms_p50":null,"tpot_ms_p50":null,"age_ms":null,)"
        R"("models":["qwen"]}],"accelerators":[]})");
  door.box.state.health = "the overlay cannot be read";
  const auto sick = ports::parse_json(door.ask("GET", "/api/v1/status").body);
  CHECK(sick->text("health") == "the overlay cannot be read");
}

TEST_CASE("status: what an engine tells of its load has value, source, age and confidence") {
  DoorUnderTest door;
  sense::NodeReport node = node_report("gpu", Place::local, 1, 2);
  node.at = Instant::from_us(9'000'000);
  node.load.waiting = {3, sense::Confidence::told, "vllm:num_requests_waiting",
                       Instant::from_us(8'750'000)};
  node.load.ttft.p95_s = {9.75, sense::Confidence::derived, "t over 10.0 s", node.at};
  node.load.limit.source = "x is missing";  // absent: not written
  door.nodes.nodes = {node};
  const std::string body = door.ask("GET", "/api/v1/status").body;
  CHECK(body.find(R"("load":{"waiting":{"value":3,"source":"vllm:num_requests_waiting",)"
                  R"("age_ms":250,"confidence":"told"},"ttft_p95_s":{"value":9.75,)"
                  R"("source":"t over 10.0 s","age_ms":0,"confidence":"derived"}})") !=
        std::string::npos);
}

TEST_CASE("status: what is believed of an engine's queue, how sure, and by what") {
  DoorUnderTest door;
  sense::NodeReport gpu = node_report("gpu", Place::local, 6, 35);
  CHECK(door.ask("GET", "/api/v1/status").body.find("\"others\"") == std::string::npos);
  gpu.queue_running.value = 8.004;
  gpu.queue_running.confidence = sense::Confidence::learnt;
  gpu.queue_running.source = "engine and own count";
  gpu.queue_waiting.value = 2.5;
  gpu.queue_others = 4.504;
  gpu.queue_spread = 1.239;
  gpu.queue_lag = Duration::seconds(30);
  gpu.queue_age = Duration::ms(30120);
  door.nodes.nodes = {gpu};
  CHECK(door.ask("GET", "/api/v1/status")
            .body.find(R"("queue":{"running":8,"waiting":2.5,"others":4.5,"spread":1.24,)"
                       R"("confidence":"learnt","source":"engine and own count",)"
                       R"("age_ms":30120,"lag_ms":30000})") != std::string::npos);
}

TEST_CASE("status: what a node told once and tells no more is listed with its age") {
  DoorUnderTest door;
  sense::NodeReport node = node_report("gpu", Place::local, 1, 2);
  node.at = door.time.now();
  node.fields = {{"running", "vllm:num_requests_running", true, false, Instant()},
                 {"kv_usage", "vllm:kv_cache_usage_perc", false, true, node.at - Duration::ms(750)},
                 {"limit", "", false, false, Instant()}};
  door.nodes.nodes = {node};
  const std::string status = door.ask("GET", "/api/v1/status").body;
  CHECK(status.find(R"("lost":[{"field":"kv_usage","name":"vllm:kv_cache_usage_perc",)"
                    R"("gone_ms":750}])") != std::string::npos);
}

TEST_CASE("status: each state of a node has its word") {
  DoorUnderTest door;
  const std::pair<Health, const char*> words[] = {{Health::up, "up"},
                                                  {Health::slow_start, "slow_start"},
                                                  {Health::probing, "probing"},
                                                  {Health::down, "down"},
                                                  {Health::unknown, "unknown"}};
  for (const auto& [health, word] : words) {
    door.nodes.nodes = {node_report("gpu", Place::local, 1, 2)};
    door.nodes.nodes[0].health = health;
    const std::string state = "\"state\":\"" + std::string(word) + "\"";
    CHECK(door.ask("GET", "/api/v1/status").body.find(state) != std::string::npos);
    door.nodes.nodes[0].enabled = false;
    CHECK(door.ask("GET", "/api/v1/status").body.find("\"state\":\"disabled\"") !=
          std::string::npos);
  }
}

TEST_CASE("water: the local nodes that can be used, together") {
  auto down = node_report("d", Place::local, 5, 50);
  down.health = Health::down;
  auto off = node_report("o", Place::local, 5, 50);
  off.enabled = false;
  const auto cloud = node_report("c", Place::cloud, 100, 10);
  const Water water = water_of({node_report("a", Place::local, 10, 30), down, off, cloud,
                                node_report("b", Place::local, 20, 10)});
  CHECK(water.in_flight == 30);
  CHECK(water.line == 40);
  CHECK(water.level == doctest::Approx(0.75));
}

TEST_CASE("water: no line without a local node, or while one has no known limit") {
  CHECK(water_of({}).line == 0);
  CHECK(water_of({node_report("c", Place::cloud, 3, 10)}).level == 0);
  const Water water =
      water_of({node_report("a", Place::local, 10, 30), node_report("b", Place::local, 99, 0)});
  CHECK(water.in_flight == 109);
  CHECK(water.line == 0);
  CHECK(water.level == 0);
}

TEST_CASE("decisions: newest first, at most as many as asked for, every figure with its unit") {
  DoorUnderTest door;
  for (int i = 0; i < 60; ++i) door.decisions.add();
  proxy::DecisionReport& last = door.decisions.made.back();
  last.at = Date::from_us(1'795'305'600'999'999);
  last.model = "qwen";
  last.key = "reports";
  last.node = "gpu";
  last.place = "local";
  last.reason = "local_fits";
  last.level = std::numeric_limits<double>::infinity();
  last.line = 35;
  last.ttft_ms = 120;
  last.tpot_us = 42'100;
  last.words_en = "fits";
  last.words_zh = "有余量";
  CHECK(door.ask("GET", "/api/v1/decisions?n=1").body ==
        R"({"decisions":[{"id":60,"time_ms":1795305600999,"request":"r60","model":"qwen",)"
        R"("key":"reports","verdict":"send","node":"gpu","place":"local","reason":"local_fits",)"
        R"("numbers":{"level":null,"line":35,"ttft_ms":120,"tpot_ms":42.1},)"
        R"("words":{"en":"fits","zh":"有余量"}}]})");
  const auto usual = ports::parse_json(door.ask("GET", "/api/v1/decisions").body);
  REQUIRE(usual->find("decisions")->as_array()->size() == 50);
  CHECK(usual->find("decisions")->as_array()->back().integer("id") == 11);
  for (const char* n : {"0", "-1", "501", "many"}) {
    CHECK(door.ask("GET", std::string("/api/v1/decisions?n=") + n).status == 400);
  }
}

TEST_CASE("status: accelerators, each figure with its source, age and confidence") {
  DoorUnderTest door;
  const Instant now = door.time.now();
  sense::AcceleratorLoad gpu;
  gpu.id = "GPU-1";
  gpu.vendor = "nvidia";
  gpu.trouble = "lost";
  gpu.busy = {0.5, sense::Confidence::derived, "fdinfo", now - Duration::ms(250)};
  gpu.power_w.source = "not supported";
  door.accelerators.sources = {{"host nvml", "nvml",
                                sense::AcceleratorSourceState::driver_not_running, "not loaded",
                                Duration::ms(1500), std::vector<sense::AcceleratorLoad>(70, gpu)}};
  const auto status = ports::parse_json(door.ask("GET", "/api/v1/status").body);
  REQUIRE(status);
  const ports::JsonValue& source = status->find("accelerators")->as_array()->at(0);
  CHECK(source.text("source") == "host nvml");
  CHECK(source.text("driver") == "nvml");
  CHECK(source.text("state") == "driver_not_running");
  CHECK(source.text("why") == "not loaded");
  CHECK(source.integer("age_ms") == 1500);
  CHECK(source.find("devices")->as_array()->size() == 64);
  CHECK(source.integer("more") == 6);
  const ports::JsonValue& device = source.find("devices")->as_array()->at(0);
  CHECK(device.text("trouble") == "lost");
  CHECK(ports::to_json(*device.find("busy")) ==
        R"({"value":0.5,"source":"fdinfo","age_ms":250,"confidence":"derived"})");
  CHECK(ports::to_json(*device.find("power_w")) ==
        R"({"value":null,"source":"not supported","age_ms":null,"confidence":"absent"})");
  CHECK(ports::to_json(*device.find("health")) ==
        R"({"value":null,"source":"not told","age_ms":null,"confidence":"absent"})");
}
