// However the shim's stream is cut, the frames are the same; nothing beyond one frame is held; what
// was read can be written again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "firmware/base/check.h"
#include "firmware/ports/datagrams.h"
#include "firmware/tunnel/shim_frames.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

struct Read {
  std::vector<std::string> frames;
  size_t held = 0;
  bool broken = false;
  bool operator==(const Read&) const = default;
};

Read read(std::string_view stream, size_t piece) {
  ShimReader reader;
  Read all;
  for (size_t at = 0; at < stream.size(); at += piece) {
    reader.feed(stream.substr(at, piece));
    while (const auto frame = reader.next()) {
      ENSURE(frame->size() <= ports::kDatagramMax);
      all.frames.emplace_back(*frame);
    }
    ENSURE(reader.held_bytes() < kShimLengthBytes + ports::kDatagramMax);
  }
  all.held = reader.held_bytes();
  all.broken = reader.is_broken();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(bytes), size);
  const Read whole = read(stream, size + 1);
  for (const size_t piece : {1, 2, 3, 1448}) ENSURE(read(stream, piece) == whole);
  std::string back;
  for (const std::string& frame : whole.frames) back += shim_frame(frame);
  ENSURE(stream.substr(0, back.size()) == back);
  if (!whole.broken) ENSURE(back.size() + whole.held == size);
  return 0;
}
