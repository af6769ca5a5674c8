#include "tests/testbed/metric_pages.h"

#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>

namespace sluice::testbed {

namespace {

using nlohmann::json;

constexpr std::string_view kText = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kJson = "application/json";

Page text_page(std::string body) { return {200, std::string(kText), std::move(body)}; }
Page json_page(const json& body) { return {200, std::string(kJson), body.dump()}; }

bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':';
}

std::optional<Page> vllm_document(std::string_view path, const EngineSnapshot& engine) {
  if (path == "/is_sleeping") return json_page({{"is_sleeping", engine.gauges.asleep}});
  if (path == "/load") {
    return json_page({{"server_load", engine.gauges.running + engine.gauges.waiting}});
  }
  return std::nullopt;
}

std::optional<Page> sglang_document(std::string_view path, std::string_view query,
                                    const EngineSnapshot& engine) {
  if (path == "/v1/loads") {
    const bool prometheus = query.find("format=prometheus") != std::string_view::npos;
    std::string body = sglang_loads(engine, prometheus);
    return Page{200, std::string(prometheus ? kText : kJson), std::move(body)};
  }
  if (path == "/get_model_info") return json_page({{"model_path", engine.model}});
  if (path == "/server_info" || path == "/get_server_info") {
    const json state = {{"effective_max_running_requests_per_dp", engine.gauges.limit}};
    return json_page({{"model_path", engine.model}, {"internal_states", json::array({state})}});
  }
  return std::nullopt;
}

std::optional<Page> llamacpp_document(std::string_view path, const EngineSnapshot& engine) {
  if (path == "/props") {
    return json_page({{"total_slots", engine.gauges.limit},
                      {"model_path", engine.model},
                      {"is_sleeping", engine.gauges.asleep}});
  }
  if (path == "/slots") {
    json slots = json::array();
    for (int id = 0; id < engine.gauges.limit; ++id) {
      slots.push_back({{"id", id}, {"is_processing", id < engine.gauges.running}});
    }
    return json_page(slots);
  }
  return std::nullopt;
}

std::optional<Page> tgi_document(std::string_view path, const EngineSnapshot& engine) {
  if (path != "/info") return std::nullopt;
  return json_page({{"model_id", engine.model},
                    {"max_concurrent_requests", engine.gauges.limit},
                    {"max_best_of", 2},
                    {"router", "text-generation-router"},
                    {"version", "testbed"}});
}

// Of trtllm-serve /metrics is a list of what the iterations since the last look were like.
std::optional<Page> trtllm_document(std::string_view path, const EngineSnapshot& engine) {
  if (path != "/metrics") return std::nullopt;
  const json iteration = {{"iter", engine.book.decodes},
                          {"numActiveRequests", engine.gauges.running},
                          {"numQueuedRequests", engine.gauges.waiting},
                          {"maxNumActiveRequests", engine.gauges.limit}};
  return json_page(json::array({iteration}));
}

}  // namespace

std::string_view metrics_path(MetricsDialect dialect) {
  if (dialect == MetricsDialect::none) return {};
  return dialect == MetricsDialect::trtllm ? "/prometheus/metrics" : "/metrics";
}

std::string metrics_page(const EngineSnapshot& engine) {
  switch (engine.dialect) {
    case MetricsDialect::vllm_v1:
    case MetricsDialect::vllm_v0:
      return vllm_page(engine);
    case MetricsDialect::sglang:
      return sglang_page(engine);
    case MetricsDialect::tgi:
      return tgi_page(engine);
    case MetricsDialect::llamacpp:
      return llamacpp_page(engine);
    case MetricsDialect::trtllm:
      return trtllm_page(engine);
    case MetricsDialect::mindie:
      return mindie_page(engine);
    case MetricsDialect::none:
      break;
  }
  return {};
}

std::optional<Page> page_at(std::string_view target, const EngineSnapshot& engine) {
  const std::string_view path = target.substr(0, target.find('?'));
  const std::string_view query = target.substr(path.size());
  if (path == metrics_path(engine.dialect)) return text_page(metrics_page(engine));
  switch (engine.dialect) {
    case MetricsDialect::vllm_v1:
    case MetricsDialect::vllm_v0:
      return vllm_document(path, engine);
    case MetricsDialect::sglang:
      return sglang_document(path, query, engine);
    case MetricsDialect::llamacpp:
      return llamacpp_document(path, engine);
    case MetricsDialect::tgi:
      return tgi_document(path, engine);
    case MetricsDialect::trtllm:
      return trtllm_document(path, engine);
    case MetricsDialect::mindie:
      if (path == "/v2/health/ready" || path == "/v2/health/live") return json_page("ok");
      break;
    case MetricsDialect::none:
      break;
  }
  return std::nullopt;
}

std::string renamed(const std::string& page, std::string_view metric, std::string_view name) {
  if (metric.empty()) return page;
  std::string result;
  std::size_t at = 0;
  while (true) {
    const std::size_t found = page.find(metric, at);
    if (found == std::string::npos) return result + page.substr(at);
    const std::size_t after = found + metric.size();
    const bool begins = found == 0 || !is_name_char(page[found - 1]);
    // A histogram's series carry its name with a suffix.
    const std::string_view rest = std::string_view(page).substr(after);
    const bool ends = rest.empty() || !is_name_char(rest.front()) || rest.starts_with("_bucket") ||
                      rest.starts_with("_sum") || rest.starts_with("_count");
    result += page.substr(at, found - at);
    result += begins && ends ? name : metric;
    at = after;
  }
}

}  // namespace sluice::testbed
