// How much may wait in a TCP connection that carries datagrams: what it delivers in kShimQueueMax
// beyond one round trip. The rate is the best of the last samples taken while it was pressed, as
// BBR takes it (Cardwell and others, 2016): neither a stall nor a lull is mistaken for a slow path.
// Values only; the caller tells time and what is untaken.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "firmware/base/time.h"

namespace sluice::tunnel {

inline constexpr Duration kShimQueueMax = Duration::ms(200);
inline constexpr size_t kShimQueueStart = 32 * 1024;          // bytes; before a rate is known
inline constexpr size_t kShimQueueFloor = 8 * 1024;           // however slow it is
inline constexpr size_t kShimQueueCeiling = 4 * 1024 * 1024;  // however fast

class ShimQueue {
 public:
  // A new connection.
  void restart(Instant now, Duration round_trip);
  void wrote(size_t bytes) { written_ += bytes; }
  // `untaken`: bytes that the peer has not taken, now. Order: before takes().
  void look(Instant now, size_t untaken);
  bool takes(size_t untaken, size_t bytes) const { return untaken + bytes <= allowance_; }
  size_t allowance() const { return allowance_; }
  // How long nothing was delivered although something waited; near zero: it flows, or nothing
  // waits.
  Duration stalled(Instant now) const { return now - moved_; }

 private:
  static constexpr size_t kSamples = 10;
  static constexpr Duration kWindow = Duration::ms(100);

  void close_window(Instant now);

  Duration round_trip_;
  uint64_t written_ = 0;    // ever, of this connection
  uint64_t delivered_ = 0;  // of these, at the last look
  Instant moved_;           // when delivered_ last grew, or nothing waited
  Instant window_start_;
  uint64_t window_delivered_ = 0;
  bool pressed_ = false;                  // in this window more waited than half of what may
  std::array<double, kSamples> rates_{};  // bytes in a microsecond
  size_t next_ = 0;
  size_t allowance_ = kShimQueueStart;
};

}  // namespace sluice::tunnel
