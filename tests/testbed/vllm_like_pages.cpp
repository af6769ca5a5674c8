// vLLM, and those whose names follow its: MindIE, trtllm-serve.
#include <fmt/format.h>

#include "tests/testbed/metric_pages.h"

namespace sluice::testbed {

namespace {

// Adds families with the same labels.
class Writer {
 public:
  Writer(PageStyle style, std::string prefix, std::string labels)
      : style_(style), prefix_(std::move(prefix)), labels_(std::move(labels)) {}

  void gauge(std::string_view name, std::string_view help, double value) {
    text_ += metric_single(style_, prefix_ + std::string(name), "gauge", help, labels_, value);
  }
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    text_ += metric_single(style_, prefix_ + std::string(name), "counter", help, labels_,
                           static_cast<double>(value));
  }
  void histogram(std::string_view name, const Histogram& histogram) {
    text_ += histogram.render(style_, prefix_ + std::string(name), labels_);
  }
  void finished(const EngineBook& book) {
    const std::string name = prefix_ + "request_success_total";
    text_ += metric_family(style_, name, "counter", "Count of finished requests.");
    for (const auto& [reason, count] : book.success) {
      text_ +=
          metric_sample(style_, name, fmt::format("{},finished_reason=\"{}\"", labels_, reason),
                        static_cast<double>(count));
    }
  }
  void sleep_state(bool asleep) {
    const std::string name = prefix_ + "engine_sleep_state";
    text_ += metric_family(style_, name, "gauge", "Whether the engine sleeps.");
    for (const auto& [state, value] :
         {std::pair("awake", !asleep), std::pair("weights_offloaded", asleep),
          std::pair("discard_all", false)}) {
      text_ += metric_sample(style_, name, fmt::format("{},sleep_state=\"{}\"", labels_, state),
                             value ? 1 : 0);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  PageStyle style_;
  std::string prefix_;
  std::string labels_;
  std::string text_;
};

std::string model_label(const std::string& model) {
  return fmt::format("model_name=\"{}\"", escape_label(model));
}

}  // namespace

std::string vllm_page(const EngineSnapshot& engine) {
  const bool v0 = engine.dialect == MetricsDialect::vllm_v0;
  const EngineBook& book = engine.book;
  const EngineGauges& gauges = engine.gauges;
  Writer page(PageStyle::plain, "vllm:", (v0 ? "" : "engine=\"0\",") + model_label(engine.model));
  page.gauge("num_requests_running", "Number of requests in the batch.", gauges.running);
  page.gauge("num_requests_waiting", "Number of requests waiting.", gauges.waiting);
  if (v0) page.gauge("num_requests_swapped", "Number of requests swapped to CPU.", 0);
  page.gauge(v0 ? "gpu_cache_usage_perc" : "kv_cache_usage_perc",
             "KV-cache usage. 1 means 100 percent usage.", gauges.kv_usage);
  page.counter("num_preemptions_total", "Number of preemptions.", gauges.preemptions);
  page.counter("prompt_tokens_total", "Number of prefill tokens.", book.prompt_tokens);
  page.counter("generation_tokens_total", "Number of generated tokens.", book.generation_tokens);
  page.finished(book);
  if (!v0) page.sleep_state(gauges.asleep);
  page.histogram("time_to_first_token_seconds", book.ttft);
  page.histogram(v0 ? "time_per_output_token_seconds" : "inter_token_latency_seconds", book.gap);
  page.histogram("e2e_request_latency_seconds", book.e2e);
  page.histogram("request_queue_time_seconds", book.queue);
  return page.take();
}

std::string mindie_page(const EngineSnapshot& engine) {
  const EngineBook& book = engine.book;
  const EngineGauges& gauges = engine.gauges;
  Writer page(PageStyle::cpp, "", model_label(engine.model));
  page.counter("request_received_total", "Requests received.", book.requests);
  page.counter("request_success_total", "Requests served.", book.e2e.count());
  page.counter("request_failed_total", "Requests failed.", 0);
  page.counter("num_preemptions_total", "Preemptions.", gauges.preemptions);
  page.gauge("num_requests_running", "Requests on the NPU.", gauges.running);
  page.gauge("num_requests_waiting", "Requests waiting.", gauges.waiting);
  page.gauge("num_requests_swapped", "Requests swapped out.", 0);
  page.counter("prompt_tokens_total", "Prefill tokens.", book.prompt_tokens);
  page.counter("generation_tokens_total", "Generated tokens.", book.generation_tokens);
  page.gauge("failed_request_perc", "Failed request share.", 0);
  page.gauge("npu_cache_usage_perc", "NPU KV cache use, 1 means 100 percent.", gauges.kv_usage);
  page.gauge("cpu_cache_usage_perc", "CPU KV cache use, 1 means 100 percent.", 0);
  page.histogram("time_to_first_token_seconds", book.ttft);
  page.histogram("time_per_output_token_seconds", book.gap);
  page.histogram("e2e_request_latency_seconds", book.e2e);
  return page.take();
}

std::string trtllm_page(const EngineSnapshot& engine) {
  constexpr std::int64_t kTokensPerBlock = 32;
  const EngineBook& book = engine.book;
  const EngineGauges& gauges = engine.gauges;
  const double blocks = static_cast<double>(gauges.kv_tokens / kTokensPerBlock);
  Writer page(PageStyle::python, "trtllm_",
              "engine_type=\"undefined\"," + model_label(engine.model));
  page.gauge("num_requests_running", "Active requests.", gauges.running);
  page.gauge("num_requests_waiting", "Queued requests.", gauges.waiting);
  page.gauge("max_num_active_requests", "Upper limit of active requests.", gauges.limit);
  page.gauge("kv_cache_utilization", "KV blocks used / max.", gauges.kv_usage);
  page.gauge("kv_cache_max_blocks", "KV blocks in total.", blocks);
  page.gauge("kv_cache_tokens_per_block", "Tokens per KV block.", kTokensPerBlock);
  page.counter("prompt_tokens_total", "Prompt tokens.", book.prompt_tokens);
  page.counter("generation_tokens_total", "Generation tokens.", book.generation_tokens);
  page.finished(book);
  page.histogram("time_to_first_token_seconds", book.ttft);
  page.histogram("time_per_output_token_seconds", book.gap);
  page.histogram("e2e_request_latency_seconds", book.e2e);
  page.histogram("request_queue_time_seconds", book.queue);
  return page.take();
}

}  // namespace sluice::testbed
