#include "firmware/tunnel/shim_frames.h"

#include "firmware/base/check.h"
#include "firmware/ports/datagrams.h"

namespace sluice::tunnel {

void ShimReader::feed(std::string_view bytes) {
  if (broken_) return;
  held_.erase(0, taken_);
  taken_ = 0;
  held_.append(bytes);
}

std::optional<std::string_view> ShimReader::next() {
  const std::string_view rest = std::string_view(held_).substr(taken_);
  if (broken_ || rest.size() < kShimLengthBytes) return std::nullopt;
  const size_t length =
      static_cast<size_t>(static_cast<uint8_t>(rest[0])) << 8 | static_cast<uint8_t>(rest[1]);
  if (length > ports::kDatagramMax) {
    broken_ = true;
    held_.clear();
    taken_ = 0;
    return std::nullopt;
  }
  if (rest.size() < kShimLengthBytes + length) return std::nullopt;
  taken_ += kShimLengthBytes + length;
  return rest.substr(kShimLengthBytes, length);
}

std::string shim_frame(std::string_view datagram) {
  ENSURE(datagram.size() <= ports::kDatagramMax);
  std::string frame;
  frame.reserve(kShimLengthBytes + datagram.size());
  frame += static_cast<char>(datagram.size() >> 8);
  frame += static_cast<char>(datagram.size() & 0xff);
  frame += datagram;
  return frame;
}

}  // namespace sluice::tunnel
