#include "tests/sim/result.h"

#include <algorithm>
#include <numeric>

namespace sluice::sim {

Quantiles quantiles(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&values](size_t percent) {
    return values[std::min(values.size() - 1, values.size() * percent / 100)];
  };
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {at(50), at(95), at(99), sum / static_cast<double>(values.size())};
}

Tally tally(std::span<const RequestResult> results, const valve::ServiceLevel& level) {
  Tally sum;
  std::vector<double> ttft;
  std::vector<double> tpot;
  std::vector<double> total;
  for (const RequestResult& result : results) {
    sum.cloud_weighted += result.cloud_in + kOutputWeight * result.cloud_out;
    if (result.ending == SimClient::Ending::left) {
      ++sum.left;
      continue;
    }
    ++sum.requests;
    sum.weighted += result.prompt + kOutputWeight * result.output;
    if (result.kept(level)) ++sum.kept;
    if (!result.is_served()) continue;
    ++sum.served;
    if (result.in_cloud) ++sum.in_cloud;
    ttft.push_back(result.ttft.as_seconds());
    tpot.push_back(static_cast<double>(result.tpot.as_us()) / 1000);
    total.push_back(result.total.as_seconds());
  }
  sum.ttft_s = quantiles(std::move(ttft));
  sum.tpot_ms = quantiles(std::move(tpot));
  sum.total_s = quantiles(std::move(total));
  return sum;
}

}  // namespace sluice::sim
