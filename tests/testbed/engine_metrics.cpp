#include "tests/testbed/engine_metrics.h"

#include "tests/testbed/metric_pages.h"

namespace sluice::testbed {

EngineMetrics::EngineMetrics(MetricsDialect dialect, std::string model)
    : dialect_(dialect), model_(std::move(model)), book_(dialect) {}

void EngineMetrics::on_admitted(double queue_s) {
  if (!counts_at_end(dialect_)) book_.queue.observe(queue_s);
}

void EngineMetrics::on_first_token(double ttft_s, std::int64_t prompt_tokens) {
  ++generated_;
  if (dialect_ == MetricsDialect::sglang) book_.ttft.observe(ttft_s);
  if (counts_at_end(dialect_)) return;
  book_.ttft.observe(ttft_s);
  book_.prompt_seconds += ttft_s;
  book_.prompt_tokens += static_cast<std::uint64_t>(prompt_tokens);
  ++book_.generation_tokens;
}

void EngineMetrics::on_token(double gap_s) {
  ++generated_;
  ++book_.decodes;
  if (dialect_ == MetricsDialect::sglang) book_.gap.observe(gap_s);
  if (counts_at_end(dialect_)) return;
  book_.gap.observe(gap_s);
  book_.decode_seconds += gap_s;
  ++book_.generation_tokens;
}

void EngineMetrics::on_more_choices(std::uint64_t tokens) {
  generated_ += tokens;
  if (!counts_at_end(dialect_)) book_.generation_tokens += tokens;
}

void EngineMetrics::on_finished(std::string_view reason, double e2e_s, const EndedRequest& ended) {
  ++book_.success[std::string(reason)];
  book_.e2e.observe(e2e_s);
  book_.inference.observe(e2e_s - ended.queue_s);
  if (!counts_at_end(dialect_)) return;
  book_.queue.observe(ended.queue_s);
  book_.prompt_tokens += static_cast<std::uint64_t>(ended.prompt_tokens);
  book_.generation_tokens += static_cast<std::uint64_t>(ended.tokens);
  book_.input_length.observe(static_cast<double>(ended.prompt_tokens));
  book_.output_length.observe(static_cast<double>(ended.tokens));
  if (dialect_ == MetricsDialect::sglang) return;
  book_.ttft.observe(ended.ttft_s);
  if (ended.tokens > 1) {
    book_.gap.observe((e2e_s - ended.ttft_s) / static_cast<double>(ended.tokens - 1));
  }
}

std::string EngineMetrics::render(const EngineGauges& gauges) const {
  return metrics_page({dialect_, model_, book_, gauges});
}

}  // namespace sluice::testbed
