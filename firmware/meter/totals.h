// Counters and histograms since the start of the process, and the share of the last minute.
//
// Bounds of the histograms: OpenTelemetry semantic conventions for generative AI, metrics
// gen_ai.client.token.usage, gen_ai.server.request.duration, .time_to_first_token,
// .time_per_output_token.
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "firmware/meter/attempt.h"
#include "firmware/meter/meter_view.h"

namespace sluice::meter {

class Totals {
 public:
  static constexpr size_t kNodeModelsMax = 2000;  // then the model is counted as kOtherModels
  static constexpr const char* kOtherModels = "(other)";
  static constexpr int kShareSeconds = 60;

  void add(const AttemptStart& start, const AttemptEnd& end, Instant now);

  const std::map<NodeModel, NodeModelTotals>& all() const { return all_; }
  Share share(Instant now) const;  // in steps of a second

 private:
  struct Second {
    int64_t number = -1;  // since the clock's origin; -1 = none yet
    Share share;
  };
  NodeModelTotals& of(const AttemptStart& start);
  Share& second_of(Instant now);

  std::map<NodeModel, NodeModelTotals> all_;
  std::array<Second, kShareSeconds> seconds_;
};

}  // namespace sluice::meter
