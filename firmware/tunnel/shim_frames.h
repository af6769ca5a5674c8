// The frames of the TCP/443 shim: a length (2 bytes, big endian), then so many bytes. 0 is a
// keepalive; a datagram has 1..ports::kDatagramMax bytes; more is no frame of ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::tunnel {

inline constexpr size_t kShimLengthBytes = 2;
inline constexpr std::string_view kShimKeepaliveFrame{"\0\0", 2};

// Bytes of a stream in, frames out. Holds one incomplete frame at most.
class ShimReader {
 public:
  // Order: all frames of the bytes fed before have been taken.
  void feed(std::string_view bytes);
  // The next whole frame; empty for a keepalive. Valid until the next call of this object.
  std::optional<std::string_view> next();
  // A length came that no frame may have; nothing follows.
  bool is_broken() const { return broken_; }
  size_t held_bytes() const { return held_.size() - taken_; }

 private:
  std::string held_;
  size_t taken_ = 0;
  bool broken_ = false;
};

// The frame around a datagram of at most ports::kDatagramMax bytes.
std::string shim_frame(std::string_view datagram);

}  // namespace sluice::tunnel
