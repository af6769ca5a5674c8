// When to lease, and when to let go: the rent-or-buy rule, for one model.
//
// What flows to the per-token cloud is cut into layers, each as much as one instance can carry. A
// layer that is not leased costs what the per-token cloud asks for its tokens; a leased one costs
// its rent, used or not. A layer's regret is what it has cost beyond what it would have cost leased
// (or not leased), never below zero:
//     not leased   regret += (per-token cost - rent) dt;   leased at regret >= B
//     leased       regret += (rent - per-token cost) dt;   let go at regret >= B
// B = what a start costs: fee + rent x the longest of cold start, least billed time and
// commitment_min (starts are rationed, so even one that costs nothing has a price).
// This is ski rental played again and again (Karlin, Manasse, Rudolph and Sleator, "Competitive
// snoopy caching", 1988), or a task system of two states played by its work function (Borodin,
// Linial and Saks, 1992). Whatever the demand does, the running cost is at most that of the best
// plan made with perfect foresight plus B for each start, and never more than twice that plan's
// cost plus B: in a cycle of leasing and letting go any plan pays at least B. What a cold start
// delays comes on top. Bounds: at most leases_max at a time; at most starts_per_day_max in any 24
// hours, and from half of them on every further start wants twice the regret of the one before it.
#pragma once

#include <array>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/ports/leases.h"

namespace sluice::capacity {

inline constexpr int kLeasesMax = 8;

struct LeasePolicy {
  int leases_max = 2;  // at a time, of all models; at most kLeasesMax
  int starts_per_day_max = 10;
  Duration commitment_min = Duration::seconds(120);
  bool confirm = false;                          // a person must agree to each start
  Duration retry_first = Duration::seconds(60);  // after a start that failed; doubles
  Duration retry_max = Duration::seconds(3600);
  Duration decline_rest = Duration::seconds(3600);  // nothing is proposed again so soon
  bool operator==(const LeasePolicy&) const = default;
};

// What a cloud would be asked a second, leased or not, over the last while.
struct CloudDemand {
  double prompt_tps = 0;
  double output_tps = 0;
  double per_token_nano = 0;  // a second of it, at the price of the cheapest per-token node
};

// What a start of this offer costs, in billionths; and its rent for a second.
double start_cost_nano(const ports::LeaseOffer& offer, const LeasePolicy& policy);
double rent_nano_per_s(const ports::LeaseOffer& offer);

// How many instances the demand would keep busy.
double instances_needed(const CloudDemand& demand, const ports::LeaseOffer& offer);
// What the per-token cloud asks a second for what instance `layer` (0, 1, ...) would carry.
double layer_nano_per_s(const CloudDemand& demand, const ports::LeaseOffer& offer, int layer);

// By how much the threshold is raised, after so many starts in the last 24 hours.
double caution(int starts_today, const LeasePolicy& policy);

class LeaseRule {
 public:
  // `held` instances are leased; `dt` has passed with this demand.
  void advance(const CloudDemand& demand, const ports::LeaseOffer& offer, int held, Duration dt,
               const LeasePolicy& policy);

  // Whether the next layer has cost enough to be leased.
  bool wants_more(const ports::LeaseOffer& offer, int held, int starts_today,
                  const LeasePolicy& policy) const;
  // Whether the last one has been idle enough to be let go.
  bool wants_less(const ports::LeaseOffer& offer, int held, const LeasePolicy& policy) const;
  // Whether a proposal still has a reason: demand has not fallen away.
  bool still_wants(int held) const;

  void opened(int held_before);
  void released(int held_before);
  void forget_wish(int held);  // it was declined
  double regret_nano(int layer) const { return regret_[static_cast<size_t>(layer)]; }

 private:
  std::array<double, kLeasesMax> regret_{};  // by layer; which of the two kinds: by `held`
};

}  // namespace sluice::capacity
