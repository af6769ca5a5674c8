#include "tests/sim/report/crowd_case.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <span>

#include "tests/sim/card.h"
#include "tests/sim/closed_loop.h"
#include "tests/sim/report/load_case.h"

namespace sluice::sim {

namespace {

using ports::JsonValue;

constexpr int64_t kReportPrompt = 64;
constexpr int64_t kReportOutput = 50;
constexpr int kReportKnee = 35;  // so many at a time still take 42 s

constexpr int kKeys = 10;
constexpr int64_t kFlood = 50;
constexpr double kFairLoad = 0.3;
constexpr double kFairSeconds = 3600;

constexpr int kStormUsers = 100;
constexpr int kCalmUsers = 20;
constexpr int64_t kStormPrompt = 64;
constexpr int64_t kStormOutput = 220;  // on H20x1: 22 s with 60 at a time, 34 s with 100
constexpr Duration kPatience = Duration::seconds(30);
constexpr Duration kStormLength = Duration::seconds(600);
constexpr Duration kAfterwards = Duration::seconds(300);

// Users of a storm: each waits `kPatience` for its whole answer, then leaves and asks again.
class Storm {
 public:
  explicit Storm(Site& site) : site_(site), began_(site.clock.now()) {
    site_.on_over = [this](const RequestResult& result) { on_over(result); };
  }
  ~Storm() { site_.on_over = nullptr; }

  void set_users(int users) {
    users_ = users;
    while (open_ < users_) ask();
  }
  int64_t served = 0;
  int64_t given_up = 0;
  Duration last_given_up;  // since the beginning

 private:
  void ask() {
    ++open_;
    const uint32_t request = site_.open({0, kStormPrompt, kStormOutput});
    patience_.resize(std::max(patience_.size(), size_t{request} + 1));
    patience_[request] = site_.timers.make([this, request] { site_.leave(request); });
    patience_[request]->start(kPatience);
  }
  void on_over(const RequestResult& result) {
    patience_[result.request].reset();
    --open_;
    if (result.ending == SimClient::Ending::left) {
      ++given_up;
      last_given_up = site_.clock.now() - began_;
    }
    if (result.is_served()) ++served;
    if (open_ < users_) ask();
  }

  Site& site_;
  const Instant began_;
  int users_ = 0;
  int open_ = 0;
  std::vector<std::unique_ptr<ports::Timer>> patience_;
};

NodeSpec report_cloud() {
  NodeSpec node = token_cloud("cloud", 0, 4000);
  node.service = *testbed::step_cost_named("cloud");
  return node;
}

double attainment_of_others(const Trace& trace, const SiteSpec& spec, double* floods) {
  Site site(spec);
  site.run(trace);
  std::vector<RequestResult> others;
  std::vector<RequestResult> flood;
  for (const RequestResult& result : site.results()) {
    (result.key < kKeys ? others : flood).push_back(result);
  }
  if (floods != nullptr) *floods = tally(flood, spec.level).attainment();
  return tally(others, spec.level).attainment();
}

}  // namespace

JsonValue report_case(const valve::Policy& policy, int users) {
  SiteSpec spec;
  spec.level = {Duration::seconds(10), Duration::ms(900)};
  spec.valve = policy;
  spec.nodes = {local_engine("gpu", *testbed::step_cost_named("report-case")), report_cloud()};
  spec.proxy.queue_wait_max = Duration::seconds(600);
  Site site(spec);
  run_closed_loop(site, 30, 90, kReportPrompt, kReportOutput);
  const Tally sum = run_closed_loop(site, users, users * 6, kReportPrompt, kReportOutput);
  return JsonValue::object(
      {{"mean_s", sum.total_s.mean},
       {"p95_s", sum.total_s.p95},
       {"cloud_share", sum.cloud_share()},
       {"least_share", std::max(0.0, 1.0 - static_cast<double>(kReportKnee) / users)},
       {"attainment", sum.attainment()},
       {"requests", sum.requests},
       {"served", sum.served}});
}

JsonValue fairness_case(const valve::Policy& policy, const std::string& trace_folder, bool cloud) {
  const LoadCase load{"fairness", "azure2023_conv.csv", "H20x2", 192, kFairLoad, 0};
  const Result<Trace> recorded = arrivals_of(load, trace_folder, kFairSeconds);
  if (!recorded) return JsonValue::object({{"error", recorded.error().text}});
  Trace calm = *recorded;
  Trace flooded;
  for (size_t i = 0; i < calm.size(); ++i) {
    calm[i].client = static_cast<uint32_t>(i % kKeys);
    flooded.push_back(calm[i]);
    if (calm[i].client != 0) continue;
    for (int64_t copy = 0; copy < kFlood; ++copy) {
      flooded.push_back(calm[i]);
      flooded.back().client = kKeys;
      flooded.back().at_us += copy * 50'000;  // a burst of 2.5 s
    }
  }
  const auto earlier = [](const Arrival& a, const Arrival& b) { return a.at_us < b.at_us; };
  std::stable_sort(flooded.begin(), flooded.end(), earlier);
  SiteSpec spec;
  spec.valve = policy;
  spec.nodes = {local_engine("gpu", engine_of(load))};
  if (cloud) spec.nodes.push_back(unlimited_cloud());
  spec.keys.resize(kKeys + 1);
  for (identity::ApiKey& key : spec.keys) key.name = "key";
  double floods = 0;
  const double before = attainment_of_others(calm, spec, nullptr);
  const double during = attainment_of_others(flooded, spec, &floods);
  return JsonValue::object({{"others_before", before},
                            {"others", during},
                            {"flooding", floods},
                            {"requests", static_cast<int64_t>(flooded.size())}});
}

JsonValue storm_case(const valve::Policy& policy) {
  SiteSpec spec;
  spec.valve = policy;
  spec.nodes = {local_engine("gpu", card_named("H20x1", 2048))};
  spec.level = {Duration::seconds(10), Duration::ms(200)};
  Site site(spec);
  Storm storm(site);
  storm.set_users(kStormUsers);
  site.pass(kStormLength);
  const int64_t served = storm.served;
  storm.set_users(kCalmUsers);
  site.pass(kAfterwards);
  const double after = (storm.last_given_up - kStormLength).as_seconds();
  return JsonValue::object({{"served_in_storm", served},
                            {"given_up", storm.given_up},
                            {"served_after", storm.served - served},
                            {"last_given_up_after_s", std::max(0.0, after)},
                            {"patience_s", kPatience.as_seconds()}});
}

}  // namespace sluice::sim
