// What the page and the metrics may read of the meter.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/meter/attempt.h"

namespace sluice::meter {

// Prometheus-style histogram: counts of observations <= bound, cumulative when printed.
struct Distribution {
  std::vector<double> bounds;    // rising, seconds or tokens
  std::vector<uint64_t> counts;  // one more than bounds: the last is beyond all of them
  double sum = 0;
  uint64_t total = 0;
  void add(double value);
};

struct NodeModelTotals {  // since the start of the process
  std::array<uint64_t, kOutcomeCount> attempts{};
  int64_t in_tokens = 0;
  int64_t out_tokens = 0;
  int64_t cached_tokens = 0;
  Money cost;
  Distribution duration;
  Distribution ttft;
  Distribution tpot;
  Distribution in_per_request;
  Distribution out_per_request;
};

struct NodeModel {
  std::string node;
  std::string model;
  valve::Place place = valve::Place::local;
  bool operator<(const NodeModel& o) const {
    return node != o.node ? node < o.node : model < o.model;
  }
};

// Over the last `window`. A request counts where its first byte came from; tokens and cost also
// of attempts that came to nothing.
struct Share {
  Duration window = Duration::seconds(60);
  int64_t local_requests = 0;
  int64_t cloud_requests = 0;
  int64_t local_tokens = 0;  // in and out
  int64_t cloud_tokens = 0;
  Money cloud_cost;
};

class MeterView {
 public:
  virtual ~MeterView() = default;
  virtual const std::map<NodeModel, NodeModelTotals>& totals() const = 0;
  virtual Share share(Instant now) const = 0;
  virtual size_t unstored_rows() const = 0;
  virtual Money spent_in_all() const = 0;  // this month (UTC)
};

}  // namespace sluice::meter
