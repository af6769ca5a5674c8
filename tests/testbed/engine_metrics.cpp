#include "tests/testbed/engine_metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::testbed {

namespace {

std::vector<double> ttft_bounds(bool v0) {
  std::vector<double> bounds = {.001, .005, .01, .02, .04, .06, .08, .1,
                                .25,  .5,   .75, 1,   2.5, 5,   7.5, 10};
  if (!v0) bounds.insert(bounds.end(), {20, 40, 80, 160, 640, 2560});
  return bounds;
}

std::vector<double> gap_bounds(bool v0) {
  std::vector<double> bounds = {.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5};
  if (!v0) bounds.insert(bounds.end(), {5, 7.5, 10, 20, 40, 80});
  return bounds;
}

std::vector<double> request_bounds() {
  return {.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
          30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
}

std::string header(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

template <typename Value>
std::string single(std::string_view name, std::string_view type, std::string_view help,
                   std::string_view labels, Value value) {
  return header(name, type, help) + fmt::format("{}{{{}}} {}\n", name, labels, value);
}

std::string escape_label(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::observe(double value) {
  const auto place = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  ++counts_[static_cast<std::size_t>(place - bounds_.begin())];
  sum_ += value;
  ++count_;
}

std::string Histogram::render(std::string_view name, std::string_view labels) const {
  std::string text = header(name, "histogram", "Histogram.");
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    below += counts_[i];
    text += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, bounds_[i], below);
  }
  text += fmt::format("{}_bucket{{{},le=\"+Inf\"}} {}\n", name, labels, count_);
  text += fmt::format("{}_count{{{}}} {}\n", name, labels, count_);
  text += fmt::format("{}_sum{{{}}} {}\n", name, labels, sum_);
  return text;
}

std::optional<MetricsDialect> metrics_dialect_named(std::string_view name) {
  if (name == "v1") return MetricsDialect::vllm_v1;
  if (name == "v0") return MetricsDialect::vllm_v0;
  if (name == "llamacpp") return MetricsDialect::llamacpp;
  if (name == "none") return MetricsDialect::none;
  return std::nullopt;
}

EngineMetrics::EngineMetrics(MetricsDialect dialect, std::string model)
    : dialect_(dialect),
      labels_(fmt::format("model_name=\"{}\"", escape_label(model))),
      success_{{"abort", 0}, {"length", 0}, {"stop", 0}},
      ttft_(ttft_bounds(dialect == MetricsDialect::vllm_v0)),
      gap_(gap_bounds(dialect == MetricsDialect::vllm_v0)),
      e2e_(request_bounds()),
      queue_(request_bounds()) {
  if (dialect == MetricsDialect::vllm_v1) labels_ = "engine=\"0\"," + labels_;
}

void EngineMetrics::on_admitted(double queue_s) { queue_.observe(queue_s); }

void EngineMetrics::on_first_token(double ttft_s, std::int64_t prompt_tokens) {
  ttft_.observe(ttft_s);
  prompt_seconds_ += ttft_s;
  prompt_tokens_ += static_cast<std::uint64_t>(prompt_tokens);
  ++generation_tokens_;
}

void EngineMetrics::on_token(double gap_s) {
  gap_.observe(gap_s);
  decode_seconds_ += gap_s;
  ++generation_tokens_;
}

void EngineMetrics::on_finished(std::string_view reason, double e2e_s) {
  ++success_[std::string(reason)];
  e2e_.observe(e2e_s);
}

std::string EngineMetrics::render(const EngineGauges& gauges) const {
  return dialect_ == MetricsDialect::llamacpp ? render_llamacpp(gauges) : render_vllm(gauges);
}

std::string EngineMetrics::render_vllm(const EngineGauges& gauges) const {
  const bool v0 = dialect_ == MetricsDialect::vllm_v0;
  const auto gauge = [this](std::string_view name, std::string_view help, auto value) {
    return single(name, "gauge", help, labels_, value);
  };
  const auto counter = [this](std::string_view name, std::string_view help, auto value) {
    return single(name, "counter", help, labels_, value);
  };
  std::string text;
  text += gauge("vllm:num_requests_running", "Number of requests in the batch.", gauges.running);
  text += gauge("vllm:num_requests_waiting", "Number of requests waiting.", gauges.waiting);
  if (v0) text += gauge("vllm:num_requests_swapped", "Number of requests swapped to CPU.", 0);
  text += gauge(v0 ? "vllm:gpu_cache_usage_perc" : "vllm:kv_cache_usage_perc",
                "KV-cache usage. 1 means 100 percent usage.", gauges.kv_usage);
  text += counter("vllm:num_preemptions_total", "Number of preemptions.", gauges.preemptions);
  text += counter("vllm:prompt_tokens_total", "Number of prefill tokens.", prompt_tokens_);
  text +=
      counter("vllm:generation_tokens_total", "Number of generated tokens.", generation_tokens_);
  text += header("vllm:request_success_total", "counter", "Count of finished requests.");
  for (const auto& [reason, count] : success_) {
    text += fmt::format("vllm:request_success_total{{{},finished_reason=\"{}\"}} {}\n", labels_,
                        reason, count);
  }
  text += ttft_.render("vllm:time_to_first_token_seconds", labels_);
  text += gap_.render(
      v0 ? "vllm:time_per_output_token_seconds" : "vllm:inter_token_latency_seconds", labels_);
  text += e2e_.render("vllm:e2e_request_latency_seconds", labels_);
  text += queue_.render("vllm:request_queue_time_seconds", labels_);
  return text;
}

std::string EngineMetrics::render_llamacpp(const EngineGauges& gauges) const {
  const auto line = [](std::string_view name, std::string_view type, auto value) {
    return header(name, type, "See the server's manual.") + fmt::format("{} {}\n", name, value);
  };
  const auto rate = [](std::uint64_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
  };
  std::string text;
  text += line("llamacpp:prompt_tokens_total", "counter", prompt_tokens_);
  text += line("llamacpp:prompt_seconds_total", "counter", prompt_seconds_);
  text += line("llamacpp:tokens_predicted_total", "counter", generation_tokens_);
  text += line("llamacpp:tokens_predicted_seconds_total", "counter", decode_seconds_);
  text += line("llamacpp:prompt_tokens_seconds", "gauge", rate(prompt_tokens_, prompt_seconds_));
  text +=
      line("llamacpp:predicted_tokens_seconds", "gauge", rate(generation_tokens_, decode_seconds_));
  text += line("llamacpp:requests_processing", "gauge", gauges.running);
  text += line("llamacpp:requests_deferred", "gauge", gauges.waiting);
  return text;
}

}  // namespace sluice::testbed
