// What the stand-in engine tells a scraper: what it counts, and its pages in the words of vLLM V1
// and V0, SGLang, TGI, llama.cpp, trtllm-serve or MindIE. Names and buckets:
// vllm/v1/metrics/loggers.py, vllm/engine/metrics.py, sglang/srt/metrics/collector.py and
// entrypoints/v1_loads.py, text-generation-inference router/src/server.rs, llama.cpp
// tools/server/README.md, tensorrt_llm/metrics/collector.py, MindIE service metrics (hiascend.com).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/testbed/engine_book.h"

namespace sluice::testbed {

// A request that has ended, for what is counted only then.
struct EndedRequest {
  std::int64_t prompt_tokens = 0;
  std::int64_t tokens = 0;
  double queue_s = 0;
  double ttft_s = 0;
};

class EngineMetrics {
 public:
  EngineMetrics(MetricsDialect dialect, std::string model);

  void on_received() { ++book_.requests; }
  void on_admitted(double queue_s);
  void on_first_token(double ttft_s, std::int64_t prompt_tokens);
  void on_token(double gap_s);
  void on_more_choices(std::uint64_t tokens);
  void on_finished(std::string_view reason, double e2e_s, const EndedRequest& ended = {});
  void on_aborted() { ++book_.success["abort"]; }
  void begin_anew() { book_ = EngineBook(dialect_); }

  MetricsDialect dialect() const { return dialect_; }
  const std::string& model() const { return model_; }
  const EngineBook& book() const { return book_; }
  std::uint64_t generation_tokens() const { return generated_; }  // whatever the dialect tells
  std::string render(const EngineGauges& gauges) const;           // the metrics page, now

 private:
  MetricsDialect dialect_;
  std::string model_;
  EngineBook book_;
  std::uint64_t generated_ = 0;
};

}  // namespace sluice::testbed
