// What became of the requests of a run, and the figures that are made of them.
// Weighted tokens: input + 4 x output, the price ratio of endpoints that are paid per token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/valve/ask.h"
#include "tests/sim/client.h"

namespace sluice::sim {

inline constexpr int64_t kOutputWeight = 4;

struct RequestResult {
  uint32_t request = 0;  // counted from 0, in the order of their coming
  int key = 0;           // its place in SiteSpec::keys
  Instant came;
  int64_t prompt = 0;
  int64_t output = 0;  // asked for
  bool stream = true;

  SimClient::Ending ending = SimClient::Ending::open;
  int status = 0;  // HTTP, as the client saw it; 0: no head came
  int node = -1;   // whose answer the client saw; -1: none
  bool in_cloud = false;
  int calls = 0;         // to nodes
  Duration ttft;         // at the client; content, not comments
  Duration tpot;         // mean: (last - first) / (tokens - 1)
  Duration total;        // until the end, however it ended
  int64_t cloud_in = 0;  // billed by nodes in the cloud, for all its attempts
  int64_t cloud_out = 0;
  int64_t leased_in = 0;  // the same on leased instances, which are paid by time
  int64_t leased_out = 0;

  bool is_served() const { return ending == SimClient::Ending::complete && status == 200; }
  // A request that was refused or broke off missed its service level; who left is not counted.
  bool kept(const valve::ServiceLevel& level) const {
    return is_served() && ttft < level.ttft_max && tpot < level.tpot_max;
  }
};

struct Quantiles {
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
  double mean = 0;
};
Quantiles quantiles(std::vector<double> values);

struct Tally {
  int64_t requests = 0;  // that stayed to their end
  int64_t kept = 0;      // within the service level
  int64_t served = 0;
  int64_t in_cloud = 0;  // served there
  int64_t left = 0;
  int64_t weighted = 0;        // of all that stayed
  int64_t cloud_weighted = 0;  // billed by the cloud, for whatever
  Quantiles ttft_s;            // of served ones
  Quantiles tpot_ms;
  Quantiles total_s;

  static double share(int64_t part, int64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  }
  double attainment() const { return share(kept, requests); }
  double cloud_share() const { return share(in_cloud, requests); }
  double cost_share() const { return share(cloud_weighted, weighted); }  // cloud-only = 1
};

Tally tally(std::span<const RequestResult> results, const valve::ServiceLevel& level);

}  // namespace sluice::sim
