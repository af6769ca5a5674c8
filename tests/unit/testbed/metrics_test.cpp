#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/testbed/engine_metrics.h"
#include "tests/testbed/engine_window.h"
#include "tests/testbed/faults.h"
#include "tests/testbed/metric_pages.h"

using namespace sluice::testbed;

namespace {

// One request of 12 tokens for 40 of prompt that is served, and one that runs.
EngineMetrics worked(MetricsDialect dialect) {
  EngineMetrics metrics(dialect, "m");
  metrics.on_received();
  metrics.on_admitted(0.5);
  metrics.on_first_token(1.5, 40);
  for (int i = 1; i < 12; ++i) metrics.on_token(0.1);
  metrics.on_finished("length", 2.6, {40, 12, 0.5, 1.5});
  metrics.on_received();
  metrics.on_admitted(0.25);
  metrics.on_first_token(0.75, 8);
  return metrics;
}

const EngineGauges kGauges{.running = 3,
                           .waiting = 2,
                           .kv_usage = 0.25,
                           .preemptions = 0,
                           .limit = 16,
                           .kv_tokens = 4096,
                           .asleep = false};

bool has(const std::string& page, const std::string& line) {
  return ("\n" + page).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("metric pages: SGLang counts tokens when a request ends, and ranks its gauges") {
  const std::string page = worked(MetricsDialect::sglang).render(kGauges);
  const std::string rank =
      "{engine_type=\"unified\",model_name=\"m\",moe_ep_rank=\"0\",pp_rank=\"0\",tp_rank=\"0\"}";
  CHECK(has(page, "sglang:num_running_reqs" + rank + " 3.0"));
  CHECK(has(page, "sglang:num_queue_reqs" + rank + " 2.0"));
  CHECK(has(page, "sglang:token_usage" + rank + " 0.25"));
  CHECK(has(page, "sglang:prompt_tokens_total{model_name=\"m\"} 40.0"));
  CHECK(has(page, "sglang:generation_tokens_total{model_name=\"m\"} 12.0"));
  CHECK(has(page, "sglang:time_to_first_token_seconds_bucket{model_name=\"m\",le=\"0.8\"} 1.0"));
  CHECK(has(page, "sglang:time_to_first_token_seconds_count{model_name=\"m\"} 2.0"));
}

TEST_CASE("metric pages: SGLang tells its load as JSON, and with underscores as text") {
  const EngineMetrics metrics = worked(MetricsDialect::sglang);
  const EngineSnapshot engine{MetricsDialect::sglang, metrics.model(), metrics.book(), kGauges};
  const auto told = page_at("/v1/loads?include=all", engine);
  REQUIRE(told);
  const auto load = nlohmann::json::parse(told->body)["loads"][0];
  CHECK(load["num_running_reqs"] == 3);
  CHECK(load["num_waiting_reqs"] == 2);
  CHECK(load["max_running_requests"] == 16);
  CHECK(load["queues"]["waiting"] == 2);
  const auto text = page_at("/v1/loads?format=prometheus", engine);
  REQUIRE(text);
  CHECK(has(text->body, "sglang_num_waiting_reqs{dp_rank=\"0\"} 2.0"));
  CHECK(has(text->body, "sglang_max_running_requests{dp_rank=\"0\"} 16.0"));
}

TEST_CASE("metric pages: TGI has counters without _total, no HELP, and counts at the end") {
  const std::string page = worked(MetricsDialect::tgi).render(kGauges);
  CHECK(page.find("# HELP") == std::string::npos);
  CHECK(has(page, "tgi_batch_current_size 3"));
  CHECK(has(page, "tgi_queue_size 2"));
  CHECK(has(page, "tgi_batch_current_max_tokens 1024"));
  CHECK(has(page, "tgi_request_count 2"));
  CHECK(has(page, "tgi_request_generated_tokens_sum 12"));
  CHECK(has(page, "tgi_request_input_length_sum 40"));
  CHECK(has(page, "tgi_request_queue_duration_sum 0.5"));
  CHECK(page.find("time_to_first_token") == std::string::npos);
}

TEST_CASE("metric pages: trtllm-serve has its page below /prometheus and tells its limit") {
  const EngineMetrics metrics = worked(MetricsDialect::trtllm);
  const EngineSnapshot engine{MetricsDialect::trtllm, metrics.model(), metrics.book(), kGauges};
  const auto page = page_at("/prometheus/metrics", engine);
  REQUIRE(page);
  const std::string labels = "{engine_type=\"undefined\",model_name=\"m\"}";
  CHECK(has(page->body, "trtllm_num_requests_running" + labels + " 3.0"));
  CHECK(has(page->body, "trtllm_max_num_active_requests" + labels + " 16.0"));
  CHECK(has(page->body, "trtllm_time_to_first_token_seconds_sum" + labels + " 1.5"));
  CHECK(has(page->body, "trtllm_time_per_output_token_seconds_count" + labels + " 1.0"));
  const auto iterations = page_at("/metrics", engine);
  REQUIRE(iterations);
  CHECK(nlohmann::json::parse(iterations->body)[0]["numQueuedRequests"] == 2);
}

TEST_CASE("metric pages: MindIE has no prefix, and count and sum before the buckets") {
  const std::string page = worked(MetricsDialect::mindie).render(kGauges);
  CHECK(has(page, "num_requests_running{model_name=\"m\"} 3"));
  CHECK(has(page, "npu_cache_usage_perc{model_name=\"m\"} 0.25"));
  CHECK(has(page, "generation_tokens_total{model_name=\"m\"} 13"));
  CHECK(page.find("time_to_first_token_seconds_count{") <
        page.find("time_to_first_token_seconds_bucket{"));
}

TEST_CASE(
    "metric pages: llama.cpp and vLLM say beside the page how much they run and if they sleep") {
  const EngineMetrics metrics = worked(MetricsDialect::llamacpp);
  EngineGauges gauges = kGauges;
  gauges.asleep = true;
  const EngineSnapshot cpp{MetricsDialect::llamacpp, metrics.model(), metrics.book(), gauges};
  const auto props = page_at("/props", cpp);
  REQUIRE(props);
  CHECK(nlohmann::json::parse(props->body)["total_slots"] == 16);
  CHECK(nlohmann::json::parse(props->body)["is_sleeping"] == true);
  const auto slots = page_at("/slots", cpp);
  REQUIRE(slots);
  CHECK(nlohmann::json::parse(slots->body)[2]["is_processing"] == true);
  CHECK(nlohmann::json::parse(slots->body)[3]["is_processing"] == false);
  const EngineSnapshot vllm{MetricsDialect::vllm_v1, metrics.model(), metrics.book(), gauges};
  CHECK(page_at("/is_sleeping", vllm)->body == "{\"is_sleeping\":true}");
  CHECK_FALSE(page_at("/props", vllm).has_value());
}

TEST_CASE("metric pages: a metric under another name takes its histogram's series along") {
  const std::string page = worked(MetricsDialect::vllm_v1).render(kGauges);
  const std::string gone =
      renamed(page, "vllm:time_to_first_token_seconds", "vllm:first_token_seconds");
  CHECK(gone.find("vllm:time_to_first_token_seconds") == std::string::npos);
  CHECK(gone.find("vllm:first_token_seconds_bucket{") != std::string::npos);
  CHECK(renamed(page, "num_requests_running", "x") == page);  // a part of a name is none
}

TEST_CASE("engine window: gauges keep their last busy value after the engine is idle") {
  EngineWindow window;
  const EngineBook book(MetricsDialect::sglang);
  WindowFaults faults;
  faults.hold_s = 30;
  window.note(1 * kSecond, kGauges, book, faults);
  window.note(2 * kSecond, {}, book, faults);
  CHECK(window.look(book).gauges.running == 3);
  window.note(30 * kSecond, {}, book, faults);
  CHECK(window.look(book).gauges.running == 3);
  window.note(32 * kSecond, {}, book, faults);
  CHECK(window.look(book).gauges.running == 0);
}

TEST_CASE("engine window: what lags is shown as it was, counters too") {
  EngineWindow window;
  EngineBook book(MetricsDialect::vllm_v1);
  WindowFaults faults;
  faults.lag_s = 3;
  for (int second = 1; second <= 10; ++second) {
    book.generation_tokens = static_cast<std::uint64_t>(second);
    window.note(second * kSecond, {.running = second}, book, faults);
  }
  CHECK(window.look(book).gauges.running == 7);
  CHECK(window.look(book).book.generation_tokens == 7);
  // The last state before a silence is not lost, however short it lasted.
  window.note(10 * kSecond + 5'000, {.running = 50}, book, faults);
  window.note(10 * kSecond + 9'000, {}, book, faults);
  window.note(20 * kSecond, {}, book, faults);
  CHECK(window.look(book).gauges.running == 0);
}

TEST_CASE("engine window: what is frozen stays, and what is renewed each second is a second old") {
  EngineWindow window;
  const EngineBook book(MetricsDialect::mindie);
  WindowFaults faults;
  faults.refresh_s = 1;
  window.note(1 * kSecond, {.running = 1}, book, faults);
  window.note(kSecond * 3 / 2, {.running = 2}, book, faults);
  CHECK(window.look(book).gauges.running == 1);
  window.note(2 * kSecond, {.running = 3}, book, faults);
  CHECK(window.look(book).gauges.running == 3);
  faults.frozen = true;
  window.note(3 * kSecond, {.running = 4}, book, faults);
  window.note(9 * kSecond, {.running = 5}, book, faults);
  CHECK(window.look(book).gauges.running == 4);
  faults.frozen = false;
  window.note(10 * kSecond, {.running = 6}, book, faults);
  CHECK(window.look(book).gauges.running == 6);
}

TEST_CASE("faults: those of the window are set by name, and nothing changes on a wrong one") {
  Faults faults(1);
  CHECK_FALSE(faults.apply(Faults::wish_of("metrics_lag_s=30,metrics_frozen=true,rename=a:b/c")));
  CHECK(faults.window().lag_s == 30);
  CHECK(faults.window().frozen);
  CHECK(faults.window().renamed_metric == "a:b");
  CHECK(faults.window().new_name == "c");
  CHECK(faults.apply({{"metrics_late_s", 1}, {"rename", "/c"}}));
  CHECK(faults.apply({{"metrics_late_s", 1}, {"sleeping", 1}}));
  CHECK(faults.window().late_s == 0);
  CHECK_FALSE(faults.apply({{"rename", ""}}));
  CHECK(faults.window().renamed_metric.empty());
}
