#include "firmware/tunnel/shim_frames.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "firmware/ports/datagrams.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

std::vector<std::string> frames_of(std::string_view bytes, size_t piece, ShimReader& reader) {
  std::vector<std::string> frames;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.substr(at, piece));
    while (const auto frame = reader.next()) frames.emplace_back(*frame);
  }
  return frames;
}

}  // namespace

TEST_CASE("shim frames: however the stream is cut, the frames are the same") {
  const std::string large(ports::kDatagramMax, 'x');
  const std::vector<std::string> sent{"a", "", std::string(1280, 'w'), large, "", "end"};
  std::string stream;
  for (const std::string& frame : sent) stream += shim_frame(frame);
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{1448}, stream.size()}) {
    ShimReader reader;
    CHECK(frames_of(stream, piece, reader) == sent);
    CHECK(reader.held_bytes() == 0);
    CHECK_FALSE(reader.is_broken());
  }
}

TEST_CASE("shim frames: a keepalive is a frame without content") {
  CHECK(shim_frame("") == kShimKeepaliveFrame);
}

TEST_CASE("shim frames: a length that no datagram has breaks the stream for good") {
  ShimReader reader;
  reader.feed(shim_frame("ok") + std::string("\xff\xe4", 2) + "rest");  // 65508
  CHECK(reader.next() == "ok");
  CHECK_FALSE(reader.next());
  CHECK(reader.is_broken());
  CHECK(reader.held_bytes() == 0);
  reader.feed(shim_frame("late"));
  CHECK_FALSE(reader.next());
}

TEST_CASE("shim frames: what is held is one incomplete frame at most") {
  ShimReader reader;
  const std::string frame = shim_frame(std::string(ports::kDatagramMax, 'x'));
  for (int round = 0; round < 3; ++round) {
    reader.feed(std::string_view(frame).substr(0, frame.size() - 1));
    CHECK_FALSE(reader.next());
    CHECK(reader.held_bytes() == frame.size() - 1);
    reader.feed(std::string_view(frame).substr(frame.size() - 1));
    CHECK(reader.next()->size() == ports::kDatagramMax);
    CHECK(reader.held_bytes() == 0);
  }
}
