#include "tests/sim/report/leased_case.h"

#include <algorithm>

#include "tests/sim/card.h"

namespace sluice::sim {

namespace {

constexpr int64_t kPriceIn = 1000;  // billionths per token
constexpr int64_t kTokensPerSecond = 7200;
constexpr Duration kColdStart = Duration::seconds(40);
constexpr double kDaySeconds = 24 * 3600;

LeaseSpec instances() {
  LeaseSpec lease;
  lease.engine = card_named("H20x4", 416);
  lease.offer.id = "h20x4";
  lease.offer.price_per_hour = {kTokensPerSecond * kPriceIn * 3600};
  lease.offer.cold_start = kColdStart;
  lease.offer.billed_min = Duration::seconds(60);
  lease.offer.slots = 128;
  lease.offer.prompt_tps = lease.engine.prefill_tps;
  lease.offer.output_tps = 2500;
  return lease;
}

}  // namespace

ports::JsonValue leased_case(const LoadCase& load, const Trace& arrivals,
                             const valve::Policy& policy) {
  SiteSpec spec;
  spec.valve = policy;
  spec.nodes = {local_engine("gpu", engine_of(load)), unlimited_cloud()};
  spec.leases = instances();
  Site site(std::move(spec));
  site.run(arrivals);
  const Tally sum = site.tally();
  const SimLeasePlatform& platform = site.leased()->platform();
  const double days = static_cast<double>(arrivals.back().at_us) / 1e6 / kDaySeconds;
  const double all_nano = static_cast<double>(sum.weighted * kPriceIn);
  const double paid_nano = static_cast<double>(sum.cloud_weighted * kPriceIn);
  return ports::JsonValue::object({{"requests", sum.requests},
                                   {"attainment", sum.attainment()},
                                   {"starts", int64_t{platform.starts}},
                                   {"starts_per_day", platform.starts / std::max(days, 1e-9)},
                                   {"leased_hours", platform.billed_time().as_seconds() / 3600},
                                   {"per_token_cost", paid_nano / all_nano},
                                   {"lease_cost", platform.total_nano() / all_nano}});
}

}  // namespace sluice::sim
