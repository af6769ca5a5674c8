#include "firmware/capacity/cloud_flow.h"

namespace sluice::capacity {

void CloudFlow::note(Tokens prompt, Tokens output, Instant now) {
  if (buckets_.empty() || now - buckets_.back().begins >= kBucket)
    buckets_.push_back({now, {}, {}});
  buckets_.back().prompt = buckets_.back().prompt + prompt;
  buckets_.back().output = buckets_.back().output + output;
  while (now - buckets_.front().begins >= window_) buckets_.pop_front();
}

CloudDemand CloudFlow::demand(int64_t price_in_nano, int64_t price_out_nano, Instant now) const {
  Tokens prompt;
  Tokens output;
  for (const Bucket& bucket : buckets_) {
    if (now - bucket.begins >= window_) continue;
    prompt = prompt + bucket.prompt;
    output = output + bucket.output;
  }
  CloudDemand demand;
  demand.prompt_tps = static_cast<double>(prompt.count) / window_.as_seconds();
  demand.output_tps = static_cast<double>(output.count) / window_.as_seconds();
  demand.per_token_nano = demand.prompt_tps * static_cast<double>(price_in_nano) +
                          demand.output_tps * static_cast<double>(price_out_nano);
  return demand;
}

}  // namespace sluice::capacity
