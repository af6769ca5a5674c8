// SGLang, TGI and llama.cpp.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/testbed/metric_pages.h"

namespace sluice::testbed {

namespace {

double used_tokens(const EngineGauges& gauges) {
  return std::floor(gauges.kv_usage * static_cast<double>(gauges.kv_tokens));
}

double utilization(const EngineGauges& gauges) {
  return gauges.limit > 0 ? static_cast<double>(gauges.running) / gauges.limit : 0;
}

}  // namespace

// Scheduler series carry the rank, those of the tokenizer do not.
std::string sglang_page(const EngineSnapshot& engine) {
  const EngineBook& book = engine.book;
  const EngineGauges& gauges = engine.gauges;
  const std::string model = fmt::format("model_name=\"{}\"", escape_label(engine.model));
  const std::string rank = fmt::format(
      "engine_type=\"unified\",{},moe_ep_rank=\"0\",pp_rank=\"0\",tp_rank=\"0\"", model);
  const auto gauge = [&](std::string_view name, std::string_view help, double value) {
    return metric_single(PageStyle::python, fmt::format("sglang:{}", name), "gauge", help, rank,
                         value);
  };
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    return metric_single(PageStyle::python, fmt::format("sglang:{}", name), "counter", help, model,
                         static_cast<double>(value));
  };
  std::string text;
  text += gauge("num_running_reqs", "Running requests.", gauges.running);
  text += gauge("num_queue_reqs", "Requests in the waiting queue.", gauges.waiting);
  text += gauge("num_grammar_queue_reqs", "Requests waiting for grammar compilation.", 0);
  text += gauge("num_used_tokens", "KV tokens in use.", used_tokens(gauges));
  text += gauge("token_usage", "KV token usage, 0 to 1.", gauges.kv_usage);
  text += gauge("cache_hit_rate", "Prefix cache hit rate, 0 to 1.", 0);
  text += gauge("utilization", "Utilisation against the request limit.", utilization(gauges));
  text +=
      gauge("max_total_num_tokens", "KV token capacity.", static_cast<double>(gauges.kv_tokens));
  text += gauge("num_retracted_reqs", "Retracted requests.", 0);
  text += counter("prompt_tokens_total", "Prefill tokens since start.", book.prompt_tokens);
  text +=
      counter("generation_tokens_total", "Generated tokens since start.", book.generation_tokens);
  text += counter("num_requests_total", "Requests since start.", book.e2e.count());
  text += counter("num_aborted_requests_total", "Aborted requests.", book.success.at("abort"));
  const auto histogram = [&](std::string_view name, const Histogram& values) {
    return values.render(PageStyle::python, fmt::format("sglang:{}", name), model);
  };
  text += histogram("time_to_first_token_seconds", book.ttft);
  text += histogram("inter_token_latency_seconds", book.gap);
  text += histogram("e2e_request_latency_seconds", book.e2e);
  text += histogram("queue_time_seconds", book.queue);
  return text;
}

std::string sglang_loads(const EngineSnapshot& engine, bool prometheus) {
  const EngineGauges& gauges = engine.gauges;
  nlohmann::ordered_json load = {{"dp_rank", 0},
                                 {"num_running_reqs", gauges.running},
                                 {"num_waiting_reqs", gauges.waiting},
                                 {"num_used_tokens", used_tokens(gauges)},
                                 {"max_total_num_tokens", gauges.kv_tokens},
                                 {"token_usage", gauges.kv_usage},
                                 {"utilization", utilization(gauges)},
                                 {"max_running_requests", gauges.limit}};
  if (!prometheus) {
    load["queues"] = {{"waiting", gauges.waiting}, {"grammar", 0}, {"paused", 0}, {"retracted", 0}};
    return nlohmann::ordered_json(
               {{"version", "testbed"}, {"loads", nlohmann::ordered_json::array({load})}})
        .dump();
  }
  std::string text;
  for (const auto& [field, value] : load.items()) {
    if (field == "dp_rank") continue;
    text += metric_single(PageStyle::python, fmt::format("sglang_{}", field), "gauge",
                          fmt::format("Load snapshot field {}.", field), "dp_rank=\"0\"",
                          value.get<double>());
  }
  return text;
}

std::string tgi_page(const EngineSnapshot& engine) {
  const EngineBook& book = engine.book;
  const EngineGauges& gauges = engine.gauges;
  const auto single = [](std::string_view name, std::string_view type, double value) {
    return metric_single(PageStyle::rust, name, type, "", "", value);
  };
  const auto histogram = [](std::string_view name, const Histogram& values) {
    return values.render(PageStyle::rust, name, "");
  };
  std::string text;
  text += single("tgi_queue_size", "gauge", gauges.waiting);
  text += single("tgi_batch_current_size", "gauge", gauges.running);
  text += single("tgi_batch_current_max_tokens", "gauge", used_tokens(gauges));
  text += single("tgi_batch_max_total_tokens", "gauge", static_cast<double>(gauges.kv_tokens));
  text += single("tgi_request_count", "counter", static_cast<double>(book.requests));
  text += single("tgi_request_success", "counter", static_cast<double>(book.e2e.count()));
  text += metric_family(PageStyle::rust, "tgi_request_failure", "counter", "");
  text += metric_sample(PageStyle::rust, "tgi_request_failure", "err=\"overloaded\"", 0) + "\n";
  text += histogram("tgi_request_duration", book.e2e);
  text += histogram("tgi_request_queue_duration", book.queue);
  text += histogram("tgi_request_inference_duration", book.inference);
  text += histogram("tgi_request_mean_time_per_token_duration", book.gap);
  text += histogram("tgi_request_input_length", book.input_length);
  text += histogram("tgi_request_generated_tokens", book.output_length);
  return text;
}

std::string llamacpp_page(const EngineSnapshot& engine) {
  const EngineBook& book = engine.book;
  const auto line = [](std::string_view name, std::string_view type, double value) {
    return metric_single(PageStyle::plain, fmt::format("llamacpp:{}", name), type,
                         "See the server's manual.", "", value);
  };
  const auto rate = [](std::uint64_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
  };
  std::string text;
  text += line("prompt_tokens_total", "counter", static_cast<double>(book.prompt_tokens));
  text += line("prompt_seconds_total", "counter", book.prompt_seconds);
  text += line("tokens_predicted_total", "counter", static_cast<double>(book.generation_tokens));
  text += line("tokens_predicted_seconds_total", "counter", book.decode_seconds);
  text += line("n_decode_total", "counter", static_cast<double>(book.decodes));
  text += line("prompt_tokens_seconds", "gauge", rate(book.prompt_tokens, book.prompt_seconds));
  text +=
      line("predicted_tokens_seconds", "gauge", rate(book.generation_tokens, book.decode_seconds));
  text += line("requests_processing", "gauge", engine.gauges.running);
  text += line("requests_deferred", "gauge", engine.gauges.waiting);
  return text;
}

}  // namespace sluice::testbed
