// What the stand-in engine tells a scraper, in the words of vLLM V1, vLLM V0 or llama.cpp
// (Prometheus text format 0.0.4). Names and buckets: vllm/v1/metrics/loggers.py,
// vllm/engine/metrics.py, llama.cpp tools/server/README.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::testbed {

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);
  std::string render(std::string_view name, std::string_view labels) const;

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;  // one per bound, and one beyond the last
  double sum_ = 0;
  std::uint64_t count_ = 0;
};

enum class MetricsDialect { vllm_v1, vllm_v0, llamacpp, none };
std::optional<MetricsDialect> metrics_dialect_named(std::string_view name);  // v1 v0 llamacpp none

struct EngineGauges {
  int running = 0;
  int waiting = 0;
  double kv_usage = 0;
  std::uint64_t preemptions = 0;
};

class EngineMetrics {
 public:
  EngineMetrics(MetricsDialect dialect, std::string model);

  void on_admitted(double queue_s);
  void on_first_token(double ttft_s, std::int64_t prompt_tokens);
  void on_token(double gap_s);
  void on_more_choices(std::uint64_t tokens) { generation_tokens_ += tokens; }
  void on_finished(std::string_view reason, double e2e_s);
  void on_aborted() { ++success_["abort"]; }

  std::uint64_t generation_tokens() const { return generation_tokens_; }
  std::string render(const EngineGauges& gauges) const;

 private:
  std::string render_vllm(const EngineGauges& gauges) const;
  std::string render_llamacpp(const EngineGauges& gauges) const;

  MetricsDialect dialect_;
  std::string labels_;

  std::uint64_t prompt_tokens_ = 0;
  std::uint64_t generation_tokens_ = 0;
  double decode_seconds_ = 0;
  double prompt_seconds_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> success_;
  Histogram ttft_;
  Histogram gap_;
  Histogram e2e_;
  Histogram queue_;
};

}  // namespace sluice::testbed
