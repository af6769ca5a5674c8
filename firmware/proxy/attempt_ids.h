// Ids of attempts: unique among all attempts that any process of this box ever made, below 2^63
// (SQL's integers are signed), and rising in runs. The ledger is ordered by them: ids by chance
// alone would have every row written into another page of it. From the top: 22 bits of the date in
// kWindow, 25 bits of chance, 16 bits of counting; a new run when these are used up. Two runs meet
// only if both date and chance do.
#pragma once

#include <cstdint>

#include "firmware/base/time.h"
#include "firmware/ports/random.h"

namespace sluice::proxy {

class AttemptIds {
 public:
  static constexpr Duration kWindow = Duration::seconds(512);
  static constexpr int kWindowBits = 22;
  static constexpr int kChanceBits = 25;
  static constexpr int kCountBits = 16;

  uint64_t next(ports::Random& random, Date now) {
    if (left_ == 0) {
      const auto window = static_cast<uint64_t>(now.as_us() / kWindow.as_us());
      const uint64_t dated = window & ((uint64_t{1} << kWindowBits) - 1);
      const uint64_t chance = random.next() >> (64 - kChanceBits);
      next_ = (dated << kChanceBits | chance) << kCountBits;
      left_ = uint64_t{1} << kCountBits;
    }
    --left_;
    return next_++;
  }

 private:
  uint64_t next_ = 0;
  uint64_t left_ = 0;  // of this run
};

}  // namespace sluice::proxy
