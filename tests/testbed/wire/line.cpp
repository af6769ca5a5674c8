#include "tests/testbed/wire/line.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sluice::testbed {

namespace {

std::optional<double> number(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc{} || read.ptr != end || !(value >= 0)) return std::nullopt;
  return value;
}

std::optional<std::set<std::uint16_t>> ports(const std::string& text) {
  std::set<std::uint16_t> result;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at != end) {
    std::uint16_t port = 0;
    const auto read = std::from_chars(at, end, port);
    if (read.ec != std::errc{} || (read.ptr != end && *read.ptr != ',')) return std::nullopt;
    result.insert(port);
    at = read.ptr == end ? end : read.ptr + 1;
  }
  return result;
}

Micros from_ms(double ms) { return from_seconds(ms / 1000); }

}  // namespace

const char* to_text(Fate fate) {
  constexpr std::array<const char*, kFates> kTexts = {
      "passed", "cut", "mtu", "udp", "loss", "burst", "queue", "rotten", "overfull"};
  return kTexts[static_cast<std::size_t>(fate)];
}

std::optional<std::string> LineSettings::set(const std::string& key, const std::string& value) {
  if (key == "udp_deny") {
    const auto listed = ports(value);
    if (!listed) return fmt::format("udp_deny={}: must be ports, such as 51820,51821", value);
    udp_deny = *listed;
    return std::nullopt;
  }
  const auto given = number(value);
  if (!given) return fmt::format("{}={}: must be a number, not below 0", key, value);
  const bool is_share = key == "loss" || key == "udp_loss";
  if (is_share && *given > 1) return fmt::format("{}={}: must be at most 1", key, value);
  if (key == "delay_ms")
    delay = from_ms(*given);
  else if (key == "jitter_ms")
    jitter = from_ms(*given);
  else if (key == "loss")
    loss = *given;
  else if (key == "burst_ms")
    burst = from_ms(*given);
  else if (key == "burst_every_ms")
    burst_every = from_ms(*given);
  else if (key == "rate_kbit")
    rate_kbit = *given;
  else if (key == "queue_bytes")
    queue_bytes = static_cast<std::int64_t>(*given);
  else if (key == "mtu")
    mtu = static_cast<int>(*given);
  else if (key == "cut")
    cut = *given != 0;
  else if (key == "udp_block")
    udp_block = *given != 0;
  else if (key == "udp_loss")
    udp_loss = *given;
  else
    return fmt::format("{} is unknown; --help lists what is known", key);
  return std::nullopt;
}

double Line::draw() { return static_cast<double>(chance_() >> 11) * 0x1p-53; }

Micros Line::draw_time(Micros mean) {
  return static_cast<Micros>(-std::log(1 - draw()) * static_cast<double>(mean));
}

bool Line::in_burst(Micros now) {
  if (settings.burst <= 0 || settings.burst_every <= 0) {
    burst_end_ = -1;
    return false;
  }
  if (burst_end_ < 0) burst_end_ = burst_begin_ = now + draw_time(settings.burst_every);
  while (now >= burst_end_) {
    if (burst_begin_ == burst_end_) {
      burst_end_ = burst_begin_ + draw_time(settings.burst) + 1;
    } else {
      burst_end_ = burst_begin_ = burst_end_ + draw_time(settings.burst_every);
    }
  }
  return now >= burst_begin_ && burst_begin_ != burst_end_;
}

std::optional<Fate> Line::lost(const Frame& frame, Micros now) {
  if (settings.cut) return Fate::cut;
  if (settings.mtu > 0 && frame.is_ip && frame.packet_bytes > settings.mtu) return Fate::mtu;
  if (frame.is_udp) {
    const bool denied = frame.ports && (settings.udp_deny.count(frame.ports->source) > 0 ||
                                        settings.udp_deny.count(frame.ports->target) > 0);
    if (settings.udp_block || denied) return Fate::udp;
    if (settings.udp_loss > 0 && draw() < settings.udp_loss) return Fate::udp;
  }
  if (in_burst(now)) return Fate::burst;
  if (settings.loss > 0 && draw() < settings.loss) return Fate::loss;
  return std::nullopt;
}

std::optional<Micros> Line::queued(std::size_t bytes, Micros now) {
  if (settings.rate_kbit <= 0) return now;
  free_at_ = std::max(free_at_, now);
  const double waiting = static_cast<double>(free_at_ - now) * settings.rate_kbit / 8000;
  if (waiting + static_cast<double>(bytes) > static_cast<double>(settings.queue_bytes)) {
    return std::nullopt;
  }
  free_at_ += static_cast<Micros>(static_cast<double>(bytes) * 8000 / settings.rate_kbit);
  return free_at_;
}

Fate Line::enter(std::string bytes, const Frame& frame, Micros now) {
  if (const auto fate = lost(frame, now)) return *fate;
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (underway_.size() >= kFramesMax || bytes_underway_ + size > kBytesMax) return Fate::overfull;
  const auto on_line = queued(bytes.size(), now);
  if (!on_line) return Fate::queue;
  Micros travel = settings.delay;
  if (settings.jitter > 0) {
    travel += static_cast<Micros>((2 * draw() - 1) * static_cast<double>(settings.jitter));
  }
  last_due_ = std::max(last_due_, *on_line + std::max<Micros>(travel, 0));
  underway_.push_back({last_due_, std::move(bytes)});
  bytes_underway_ += size;
  return Fate::passed;
}

std::optional<Micros> Line::next_due() const {
  if (underway_.empty()) return std::nullopt;
  return underway_.front().due;
}

std::optional<std::string> Line::leave(Micros now) {
  if (underway_.empty() || underway_.front().due > now) return std::nullopt;
  std::string bytes = std::move(underway_.front().bytes);
  underway_.pop_front();
  bytes_underway_ -= static_cast<std::int64_t>(bytes.size());
  count(Fate::passed, bytes.size());
  return bytes;
}

void Line::lose_underway() {
  for (const Underway& frame : underway_) count(Fate::cut, frame.bytes.size());
  underway_.clear();
  bytes_underway_ = 0;
  last_due_ = 0;
  free_at_ = 0;
}

void Line::count(Fate fate, std::size_t bytes) {
  ++frames_[static_cast<std::size_t>(fate)];
  if (fate == Fate::passed) passed_bytes_ += bytes;
}

}  // namespace sluice::testbed
