// Requests that are sent more than once: retries after a failure, and copies of what comes late.
// Each kind is kept to a share of the requests, so that an overload cannot feed on itself: if every
// attempt failed, the load on the nodes would grow by that share and no more.
//
// For each set of nodes that requests may use there is a budget of its own: trouble with one
// model's nodes leaves the retries of another alone. A request pays `share` in; what was paid in
// fades with kMemory. Retries may also use a floor that fills by itself, so that a box with few
// requests can try again too. (The idea of retry budgets: Finagle; Envoy's differ in counting what
// is running.)
#pragma once

#include <cstdint>
#include <map>

#include "firmware/base/time.h"
#include "firmware/proxy/decisions_view.h"
#include "firmware/valve/ask.h"

namespace sluice::proxy {

struct ExtraShares {
  double retries = 0.1;  // of the requests
  double retry_floor_per_s = 10;
  double hedges = 0.05;
};

class ExtraSends : public ExtraView {
 public:
  static constexpr Duration kMemory = Duration::seconds(10);
  static constexpr size_t kSetsMax = 256;  // further sets share one budget

  void set_shares(const ExtraShares& shares) { shares_ = shares; }

  void on_request(valve::NodeSet nodes, Instant now);
  bool take_retry(valve::NodeSet nodes, Instant now);  // false: not within the budget; both count
  bool take_hedge(valve::NodeSet nodes, Instant now);
  void on_hedge_won() { ++report_.hedges_won; }

  ExtraReport extras() const override { return report_; }

 private:
  struct Budget {
    double retries = 0;
    double floor = 0;  // seconds of it
    double hedges = 0;
    Instant at;
    bool begun = false;
  };
  Budget& budget(valve::NodeSet nodes, Instant now);

  ExtraShares shares_;
  std::map<uint64_t, Budget> budgets_;  // by the bits of the set; 0: the further ones
  ExtraReport report_;
};

}  // namespace sluice::proxy
