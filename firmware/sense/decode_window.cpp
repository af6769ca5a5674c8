#include "firmware/sense/decode_window.h"

#include <algorithm>

namespace sluice::sense {

namespace {

constexpr int kGapsMin = 6;  // of each stream within a window

struct Part {
  double gaps = 0;
  double us = 0;
  double before = 0;  // tokens that had come at its middle
};

Part part_of(const TokenTimes& stream, Instant from, Instant to) {
  const std::vector<Instant>& came = *stream.came;
  const auto first = std::lower_bound(came.begin(), came.end(), from);
  const auto end = std::upper_bound(first, came.end(), to);
  Part part;
  if (end - first < kGapsMin + 1) return part;
  part.gaps = static_cast<double>(end - first - 1) * stream.tokens_each;
  part.us = static_cast<double>((*(end - 1) - *first).as_us());
  part.before = static_cast<double>(first - came.begin() + (end - first) / 2) * stream.tokens_each;
  return part;
}

}  // namespace

std::vector<DecodeWindow> decode_windows(const std::vector<TokenTimes>& streams, double prompt) {
  std::vector<DecodeWindow> windows;
  if (streams.empty()) return windows;
  Instant from = streams.front().came->front();
  Instant to = streams.front().came->back();
  for (const TokenTimes& stream : streams) {
    from = std::max(from, stream.came->front());
    to = std::min(to, stream.came->back());
  }
  if (to <= from) return windows;
  const Instant middle = from + (to - from) / 2;
  for (const auto& [begin, end] : {std::pair{from, middle}, {middle, to}}) {
    double gaps = 0;
    double us = 0;
    double kv = 0;
    bool enough = true;
    for (const TokenTimes& stream : streams) {
      const Part part = part_of(stream, begin, end);
      enough = enough && part.gaps > 0;
      gaps += part.gaps;
      us += part.us;
      kv += prompt + part.before;
    }
    if (enough) windows.push_back({static_cast<double>(streams.size()), kv, us / gaps});
  }
  return windows;
}

}  // namespace sluice::sense
