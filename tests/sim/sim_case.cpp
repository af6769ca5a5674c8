#include "tests/sim/sim_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tests/sim/card.h"

namespace sluice::sim {

namespace {

constexpr std::array<std::string_view, 7> kFamilies = {"any",        "calm",  "home",  "local-only",
                                                       "cloud-only", "storm", "leased"};
constexpr Duration kLongest = Duration::seconds(4 * 3600);

class Draws {
 public:
  Draws(std::string_view family, uint64_t seed) : chance_(seed, "case") {
    case_.family = family;
    case_.seed = case_.site.seed = seed;
  }

  SimCase draw() {
    case_.site.checks = true;
    draw_nodes();
    if (is("leased") || happens(0.1)) draw_lease();
    draw_keys();
    draw_policy();
    draw_crowd();
    if (case_.family != "calm") draw_mishaps();
    return std::move(case_);
  }

 private:
  bool is(std::string_view family) const { return case_.family == family; }
  int64_t between(int64_t least, int64_t most) { return chance_.between(least, most); }
  bool happens(double probability) { return chance_.happens(probability); }
  template <class T, size_t N>
  T one_of(const std::array<T, N>& list) {
    return list[static_cast<size_t>(between(0, static_cast<int64_t>(N) - 1))];
  }

  void draw_nodes() {
    const int64_t least_local = is("cloud-only") ? 0 : 1;
    const int64_t locals = is("cloud-only") ? 0 : between(least_local, 2);
    const int64_t clouds = is("local-only") ? 0 : between(is("cloud-only") ? 1 : 0, 3);
    for (int64_t i = 0; i < locals; ++i) draw_engine(i);
    for (int64_t i = 0; i < clouds; ++i) draw_cloud(i);
  }

  void draw_engine(int64_t number) {
    constexpr std::array<const char*, 4> kCards = {"H20x1", "H20x2", "H20x4", "V100x4"};
    const char* card = one_of(kCards);
    const int64_t chunk = between(64, 1024);
    testbed::StepCost cost = card_named(card, chunk, static_cast<int>(between(4, 64)));
    if (happens(0.3)) cost.kv_tokens = between(6'000, 20'000);  // preemption is common
    NodeSpec node = local_engine(fmt::format("gpu{}", number), cost);
    node.link.one_way = Duration::us(between(50, 5000));
    if (happens(0.2)) node.profile.concurrency_limit = static_cast<int>(between(2, 20));
    case_.site.nodes.push_back(std::move(node));
  }

  void draw_cloud(int64_t number) {
    TokenCloudSpec spec;
    spec.first = Duration::ms(between(100, 1500));
    spec.tpot = Duration::ms(between(10, 80));
    if (happens(0.2)) spec.running_max = static_cast<int>(between(1, 8));
    const int64_t price = between(100, 3000);
    NodeSpec node = token_cloud(fmt::format("cloud{}", number), price, 4 * price, spec);
    node.link.one_way = Duration::ms(between(5, 150));
    if (happens(0.15)) node.profile.requests_per_minute = static_cast<int>(between(5, 60));
    case_.site.nodes.push_back(std::move(node));
  }

  // Cheap and soon there, so that leases begin and end within a case.
  void draw_lease() {
    LeaseSpec lease;
    lease.policy.leases_max = static_cast<int>(between(1, 3));
    lease.policy.commitment_min = Duration::seconds(between(1, 10));
    lease.policy.retry_first = Duration::seconds(between(1, 20));
    lease.engine = card_named("H20x4", between(128, 1024));
    lease.offer.id = "offer";
    lease.offer.price_per_hour = {between(1, 1'000'000'000)};
    lease.offer.cold_start = Duration::ms(between(200, 8000));
    lease.offer.slots = static_cast<int>(between(4, 64));
    lease.offer.prompt_tps = 5000;
    lease.offer.output_tps = 2500;
    const auto rarely = [this] { return happens(0.3) ? 0.5 * chance_.part() : 0; };
    lease.faults.refuse = rarely();
    lease.faults.fail = rarely();
    lease.faults.slow = rarely();
    lease.faults.mute = rarely();
    lease.faults.deaf = rarely();
    lease.faults.false_front = rarely();
    case_.site.leases = lease;
  }

  void draw_keys() {
    const int64_t count = between(1, 4);
    for (int64_t i = 0; i < count; ++i) {
      identity::ApiKey key;
      key.name = fmt::format("key {}", i);
      const bool home = happens(is("home") ? 0.6 : 0.25) && !is("cloud-only");
      key.data_class = home ? identity::DataClass::home_only : identity::DataClass::internal;
      key.priority = static_cast<identity::KeyPriority>(between(0, 2));
      if (happens(0.15)) key.concurrency = static_cast<int>(between(1, 6));
      if (happens(0.1)) key.requests_per_minute = between(5, 60);
      if (happens(0.1)) key.deadline = Duration::ms(between(500, 20'000));
      case_.site.keys.push_back(std::move(key));
    }
  }

  void draw_policy() {
    SiteSpec& site = case_.site;
    site.valve.overflow = !happens(0.25);
    site.valve.hold = !happens(0.2);
    site.valve.attempts_max = static_cast<int>(between(1, 4));
    site.valve.first_byte_max = Duration::seconds(between(5, 120));
    site.queue_max = static_cast<size_t>(between(1, 60));
    site.proxy.queue_wait_max = Duration::seconds(between(2, 90));
    site.proxy.stream_idle_max = Duration::seconds(between(5, 120));
    site.proxy.keepalive_comment = Duration::ms(happens(0.3) ? 0 : between(500, 15'000));
    site.proxy.request_max = Duration::seconds(between(60, 600));
    site.level = {Duration::ms(between(500, 4000)), Duration::ms(between(40, 200))};
    site.bytes_per_token = happens(0.3) ? 2 + 4 * chance_.part() : 4;
    site.tell_output_max = happens(0.3);
  }

  void draw_crowd() {
    CrowdSpec& crowd = case_.crowd;
    crowd.length = Duration::seconds(between(15, 50));
    crowd.per_second = 0.5 + 5 * chance_.part();
    if (happens(0.3)) crowd.burst = static_cast<double>(between(2, 20));
    crowd.prompt_max = between(50, 4000);
    crowd.output_max = between(5, 250);
    crowd.turns_max = static_cast<int>(between(1, 4));
    crowd.system_prompt = happens(0.3) ? between(100, 1500) : 0;
    crowd.whole_share = 0.3 * chance_.part();
    if (happens(0.4)) crowd.leave_share = 0.3 * chance_.part();
    if (happens(0.2)) crowd.slow_share = 0.2 * chance_.part();
    if (happens(0.4) || is("storm")) crowd.patience = Duration::ms(between(1000, 20'000));
    if (happens(0.4) || is("storm")) crowd.retries_max = static_cast<int>(between(1, 3));
    if (happens(0.5) && !is("storm")) crowd.backoff = Duration::ms(between(100, 4000));
  }

  // Each seed may draw of some kinds only.
  void draw_mishaps() {
    const uint64_t kinds = chance_.next();
    const int64_t count = between(0, 6);
    for (int64_t i = 0; i < count; ++i) {
      Mishap mishap;
      const int64_t kind = between(0, Mishap::kKinds - 1);
      mishap.kind = static_cast<Mishap::Kind>(kind);
      mishap.node =
          static_cast<size_t>(between(0, static_cast<int64_t>(case_.site.nodes.size()) - 1));
      mishap.at = Duration::ms(between(0, case_.crowd.length.as_ms()));
      mishap.length = Duration::ms(between(50, 25'000));
      if (mishap.kind == Mishap::Kind::restart) mishap.length = Duration();
      mishap.amount = 0.01 + 0.5 * chance_.part();
      if (mishap.kind == Mishap::Kind::loss) mishap.amount *= 0.2;
      if (mishap.kind == Mishap::Kind::slow) mishap.amount = 1 + 10 * mishap.amount;
      if ((kinds >> kind & 1) != 0) case_.mishaps.push_back(mishap);
    }
  }

  Chance chance_;
  SimCase case_;
};

}  // namespace

std::span<const std::string_view> families() { return kFamilies; }

std::optional<SimCase> draw_case(std::string_view family, uint64_t seed) {
  if (std::find(kFamilies.begin(), kFamilies.end(), family) == kFamilies.end()) return std::nullopt;
  return Draws(family, seed).draw();
}

std::string describe(const SimCase& drawn) {
  const CrowdSpec& crowd = drawn.crowd;
  std::string text = fmt::format(
      "case {} seed {}: {} nodes, {} keys, overflow {}, hold {}, queue {}, {:.1f}/s for {} s by "
      "{}\n",
      drawn.family, drawn.seed, drawn.site.nodes.size(), drawn.site.keys.size(),
      drawn.site.valve.overflow, drawn.site.valve.hold, drawn.site.queue_max, crowd.per_second,
      crowd.length.as_ms() / 1000, crowd.burst);
  for (const Mishap& mishap : drawn.mishaps) text += "  " + to_text(mishap) + "\n";
  return text;
}

CaseOutcome run_case(const SimCase& drawn, const std::function<void(const std::string&)>& tell) {
  CaseOutcome outcome;
  Site site(drawn.site);
  site.on_decision = [&site, &tell, &outcome](const valve::Decision& decision) {
    ++outcome.reasons[decision.plan.reason];
    if (!tell) return;
    tell(fmt::format("{} key {} prompt {}: {}", site.clock.now().as_us(), decision.ask.key,
                     decision.ask.prompt_tokens.count,
                     valve::explain(decision.view, decision.plan, valve::Language::en)));
  };
  Crowd crowd(site, drawn.crowd, Chance(drawn.seed, "crowd"));
  Mishaps mishaps(site, drawn.mishaps);
  const Instant began = site.clock.now();
  crowd.start();
  mishaps.start();
  while (!crowd.is_over() && site.clock.now() - began < kLongest) site.timers.leap();
  site.must(crowd.is_over(), "the crowd does not come to an end");
  outcome.lasted = site.clock.now() - began;
  site.pass(std::max(Duration(), Duration::seconds(90) - outcome.lasted));  // all mishaps are over
  site.run_until_idle(kLongest);
  outcome.violations = site.violations();
  outcome.trace_hash = site.trace_hash();
  outcome.tally = site.tally();
  outcome.retries = crowd.retries();
  for (const auto& [name, sum] : site.ledger().by_outcome) outcome.attempts[name] = sum.attempts;
  for (const RequestResult& result : site.results()) {
    outcome.output_tokens += result.output;
    outcome.leased_tokens += result.leased_out;
    outcome.cut += result.ending == SimClient::Ending::cut ? 1 : 0;
    ++outcome.statuses[result.status];
    if (!tell) continue;
    tell(fmt::format("request {} of key {} came {}, took {} ms: status {}, node {}, ending {}",
                     result.request, result.key, result.came.as_us(), result.total.as_ms(),
                     result.status, result.node, static_cast<int>(result.ending)));
  }
  return outcome;
}

}  // namespace sluice::sim
