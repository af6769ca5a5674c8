// What became of the requests of a rehearsal, and the figures that are made of them.
#pragma once

#include <cstdint>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/rehearse/arrivals.h"
#include "firmware/rehearse/site.h"

namespace sluice::rehearse {

struct Outcome {
  bool served = false;
  int node = -1;  // index in Site::nodes; whose answer it was
  Duration ttft;  // from its coming, waiting included
  Duration tpot;  // mean: (last - first) / (tokens - 1)
};

struct Score {
  int64_t requests = 0;
  int64_t served = 0;
  int64_t kept = 0;   // within the service level; who was not served missed it
  int64_t cloud = 0;  // answered there
  Money cost;         // at the prices of the nodes that answered
  Money all_cloud;    // had the cheapest cloud node answered everything; zero: there is none
  Duration ttft_p50;  // of those served
  Duration ttft_p99;
  Duration tpot_p99;

  double kept_share() const { return part(kept, requests); }
  double cloud_share() const { return part(cloud, requests); }
  double cost_share() const { return part(cost.nano, all_cloud.nano); }
  static double part(int64_t of, int64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(of) / static_cast<double>(whole);
  }
};

// `outcomes` in the order of `trace`.
Score score(const Trace& trace, const std::vector<Outcome>& outcomes, const Site& site);

}  // namespace sluice::rehearse
