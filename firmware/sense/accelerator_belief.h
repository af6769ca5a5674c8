// What is believed of the accelerators of one source between its answers: the last figures with
// their age, called stale in time, and at last forgotten.
#pragma once

#include <string>
#include <vector>

#include "firmware/ports/accelerators.h"
#include "firmware/sense/accelerator_view.h"

namespace sluice::sense {

inline constexpr size_t kAcceleratorTextMax = 160;  // bytes of an id, a name, a trouble; ASCII
inline constexpr Duration kAcceleratorForgotten = Duration::seconds(3600);  // after its last answer

AcceleratorLoad to_load(const ports::AcceleratorReading& reading, Instant at);
AcceleratorSourceState to_source_state(ports::AcceleratorState state);

class AcceleratorBelief {
 public:
  AcceleratorBelief(std::string name, std::string driver);

  void believe(std::vector<AcceleratorLoad> accelerators, Instant now);
  // The figures stay and age, unless the source says that it has no device.
  void doubt(AcceleratorSourceState state, std::string why);
  void set_driver(std::string driver) { report_.driver = std::move(driver); }

  AcceleratorSourceState state() const { return report_.state; }
  AcceleratorSourceReport report(Duration stale_after, Instant now) const;

 private:
  AcceleratorSourceReport report_;  // without age, nothing stale
  std::optional<Instant> at_;       // of the last answer
};

}  // namespace sluice::sense
