// How many requests of ours an engine had at any moment of the last 40 seconds: exactly for a short
// while, in slots of 25 ms before that.
// A value; no clock. Times never decrease.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "firmware/base/time.h"

namespace sluice::sense {

class OwnPast {
 public:
  static constexpr Duration kSlot = Duration::ms(25);
  static constexpr size_t kSlots = 1600;
  static constexpr size_t kChangesMax = 512;  // that are known exactly
  static constexpr Duration kExact = Duration::seconds(3);

  struct Range {
    int least = 0;
    int most = 0;
  };

  void note(Instant now, int count);  // it is `count` from now on
  int now() const { return count_; }
  int at(Instant when) const;  // before anything is known: the earliest that is
  Range over(Instant from, Instant to) const;

 private:
  int64_t slot_of(Instant when) const { return when.as_us() / kSlot.as_us(); }
  int in_slot(int64_t slot) const;  // as it ended

  struct Change {
    Instant at;
    int count;
  };
  std::deque<Change> changes_;
  std::array<int, kSlots> slots_{};  // as each ended; by number, again and again
  int64_t newest_ = -1;              // number of the slot under way
  int count_ = 0;
};

}  // namespace sluice::sense
