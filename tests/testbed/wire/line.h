// One direction of the wire, in virtual time: what happens to a frame, and when it comes out.
// Order: what may be lost is lost first, then the frame queues for the rate, then it travels.
// Frames never overtake each other.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "tests/testbed/micros.h"
#include "tests/testbed/wire/frame.h"

namespace sluice::testbed {

struct LineSettings {
  Micros delay = 0;
  Micros jitter = 0;                      // the delay varies by up to this much, evenly, both ways
  double loss = 0;                        // share, each frame by itself
  Micros burst = 0;                       // mean length of times in which all is lost (exponential)
  Micros burst_every = 0;                 // mean time from the end of one to the begin of the next
  double rate_kbit = 0;                   // of frames; 0: without limit
  std::int64_t queue_bytes = 256 * 1024;  // that wait for the rate; more are lost
  int mtu = 0;       // IP packets larger than this vanish, without a word; 0: none
  bool cut = false;  // nothing enters; see Line::lose_underway
  bool udp_block = false;
  double udp_loss = 0;               // of UDP, beside `loss`
  std::set<std::uint16_t> udp_deny;  // UDP from or to these ports vanishes

  // "delay_ms=20": an error text, or nothing when it was taken.
  std::optional<std::string> set(const std::string& key, const std::string& value);
};

enum class Fate { passed, cut, mtu, udp, loss, burst, queue, rotten, overfull };
inline constexpr int kFates = 9;
const char* to_text(Fate fate);

class Line {
 public:
  static constexpr std::size_t kFramesMax = 65536;
  static constexpr std::int64_t kBytesMax = 64 << 20;

  explicit Line(std::uint64_t seed) : chance_(seed) {}

  LineSettings settings;

  // Takes a frame in, or tells why not.
  Fate enter(std::string bytes, const Frame& frame, Micros now);
  std::optional<Micros> next_due() const;
  std::optional<std::string> leave(Micros now);  // the next frame that is due, if one is
  void lose_underway();                          // a cut takes what is on its way

  void count(Fate fate, std::size_t bytes);
  std::uint64_t frames(Fate fate) const { return frames_[static_cast<std::size_t>(fate)]; }
  std::uint64_t passed_bytes() const { return passed_bytes_; }

 private:
  struct Underway {
    Micros due;
    std::string bytes;
  };
  double draw();  // [0, 1)
  Micros draw_time(Micros mean);
  bool in_burst(Micros now);
  std::optional<Fate> lost(const Frame& frame, Micros now);
  // When the frame is on the line entirely; nothing when the queue is full.
  std::optional<Micros> queued(std::size_t bytes, Micros now);

  std::mt19937_64 chance_;
  Micros burst_begin_ = -1;
  Micros burst_end_ = -1;
  Micros free_at_ = 0;
  Micros last_due_ = 0;
  std::int64_t bytes_underway_ = 0;
  std::deque<Underway> underway_;
  std::array<std::uint64_t, kFates> frames_{};
  std::uint64_t passed_bytes_ = 0;
};

}  // namespace sluice::testbed
