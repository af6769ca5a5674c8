// What may be read of the second rule that decides along with the first, without acting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "firmware/base/time.h"
#include "firmware/base/units.h"

namespace sluice::proxy {

// What one of the two made of the same requests.
struct ShadowSide {
  uint64_t sent = 0;   // the others were to wait, or were refused
  uint64_t cloud = 0;  // of those sent
  uint64_t kept = 0;   // of those sent: would keep their service level, as predicted
  Money cost;          // estimated
  Duration ttft_sum;   // predicted, of those sent
  Duration ttft_mean() const {
    return sent == 0 ? Duration() : ttft_sum / static_cast<int64_t>(sent);
  }
};

struct ShadowReport {
  std::string name;  // of the second rule or goal
  Date since;
  uint64_t decisions = 0;    // that both have made
  uint64_t passed_over = 0;  // beyond what is compared in a second
  uint64_t to_cloud = 0;     // first: home, second: cloud
  uint64_t to_home = 0;
  uint64_t other_node = 0;     // in the same place
  uint64_t other_verdict = 0;  // one sends, the other lets it wait or refuses
  ShadowSide first;
  ShadowSide second;
  uint64_t differ() const { return to_cloud + to_home + other_node + other_verdict; }
};

class ShadowView {
 public:
  virtual ~ShadowView() = default;
  virtual std::optional<ShadowReport> shadow() const = 0;  // nothing: off
};

}  // namespace sluice::proxy
