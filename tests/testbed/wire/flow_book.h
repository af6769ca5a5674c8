// UDP flows across the wire and their age, for address translation that forgets: a flow older than
// the limit, or declared rotten, passes nothing either way until it was silent for as long as the
// limit (kSilence without one). A flow from another port is another flow.
#pragma once

#include <map>
#include <tuple>

#include "tests/testbed/micros.h"
#include "tests/testbed/wire/frame.h"

namespace sluice::testbed {

class FlowBook {
 public:
  static constexpr std::size_t kFlowsMax = 4096;  // the longest silent one gives way
  static constexpr Micros kSilence = 30 * kSecond;

  void set_age_max(Micros age) { age_max_ = age; }  // 0: flows do not rot by age
  // Every flow that is known now rots; those to come do not.
  void rot_all();
  // Whether a packet of this flow passes; `from_a` says which end the frame came from.
  bool passes(const Frame& frame, bool from_a, Micros now);
  std::size_t size() const { return flows_.size(); }

 private:
  using Key = std::tuple<WireAddress, std::uint16_t, WireAddress, std::uint16_t>;
  struct Flow {
    Micros born = 0;
    Micros last = 0;
    bool rotten = false;
  };
  void make_room();

  Micros age_max_ = 0;
  std::map<Key, Flow> flows_;  // a's address and port, b's address and port
};

}  // namespace sluice::testbed
