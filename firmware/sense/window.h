// Quantiles of a recent past: the last kObservationsMax observations not older than the window.
#pragma once

#include <deque>
#include <optional>

#include "firmware/base/time.h"

namespace sluice::sense {

class Window {
 public:
  static constexpr size_t kObservationsMax = 512;

  void set_length(Duration length) { length_ = length; }
  void add(Duration value, Instant now);
  size_t count(Instant now) const;
  // q in 0..1; nothing if the window is empty. Nearest rank.
  std::optional<Duration> quantile(double q, Instant now) const;

 private:
  struct Observation {
    Duration value;
    Instant at;
  };
  Duration length_ = Duration::seconds(10);
  std::deque<Observation> seen_;
};

}  // namespace sluice::sense
