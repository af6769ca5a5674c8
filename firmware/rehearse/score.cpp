#include "firmware/rehearse/score.h"

#include <algorithm>
#include <limits>

#include "firmware/base/check.h"

namespace sluice::rehearse {

namespace {

int64_t price_of(const Arrival& arrival, const sense::NodeProfile& profile) {
  return arrival.prompt_tokens * profile.price_in_nano +
         arrival.output_tokens * profile.price_out_nano;
}

int64_t least_cloud_price(const Arrival& arrival, const Site& site) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const SiteNode& node : site.nodes) {
    if (node.profile.place != valve::Place::cloud) continue;
    least = std::min(least, price_of(arrival, node.profile));
  }
  return least == std::numeric_limits<int64_t>::max() ? 0 : least;
}

// The value that `share` of all do not exceed.
Duration quantile(std::vector<Duration>& values, double share) {
  if (values.empty()) return {};
  const auto place = static_cast<size_t>(share * static_cast<double>(values.size()));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::min(place, values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

Score score(const Trace& trace, const std::vector<Outcome>& outcomes, const Site& site) {
  ENSURE(outcomes.size() == trace.size());
  Score sum;
  std::vector<Duration> ttfts;
  std::vector<Duration> tpots;
  for (size_t i = 0; i < trace.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    ++sum.requests;
    sum.all_cloud.nano += least_cloud_price(trace[i], site);
    if (!outcome.served) continue;
    ++sum.served;
    const sense::NodeProfile& profile = site.nodes.at(static_cast<size_t>(outcome.node)).profile;
    if (profile.place == valve::Place::cloud) ++sum.cloud;
    sum.cost.nano += price_of(trace[i], profile);
    if (outcome.ttft < site.level.ttft_max && outcome.tpot < site.level.tpot_max) ++sum.kept;
    ttfts.push_back(outcome.ttft);
    tpots.push_back(outcome.tpot);
  }
  sum.ttft_p50 = quantile(ttfts, 0.5);
  sum.ttft_p99 = quantile(ttfts, 0.99);
  sum.tpot_p99 = quantile(tpots, 0.99);
  return sum;
}

}  // namespace sluice::rehearse
