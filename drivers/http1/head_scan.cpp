#include "drivers/http1/head_scan.h"

#include <algorithm>

namespace sluice::drivers {

namespace {

constexpr size_t kLineEnd = 2;

size_t to_size(Bytes bytes) { return static_cast<size_t>(bytes.count); }

}  // namespace

HeadScan::HeadScan(const ports::HttpLimits& limits, Side side)
    : limits_(limits), side_(side), rules_(side) {}

void HeadScan::restart() {
  state_ = State::start_line;
  lines_.restart();
  rules_.restart();
  line_begin_ = 0;
}

HeadScan::Outcome HeadScan::refuse(HeadFault fault) {
  state_ = State::faulty;
  fault_ = fault;
  return Outcome::fault;
}

// What the line that begins now may hold without breaking its own limit or the head's.
size_t HeadScan::content_max() const {
  const size_t own = state_ == State::start_line ? to_size(limits_.start_line_max) : kFieldLineMax;
  const size_t used = line_begin_ + kLineEnd;
  const size_t head = to_size(limits_.head_max);
  return std::min(own, head > used ? head - used : 0);
}

HeadScan::Outcome HeadScan::refuse_line(LineScan::Outcome why, size_t content_max) {
  if (why != LineScan::Outcome::too_long) return refuse({400, LineScan::text(why)});
  const bool in_start_line =
      state_ == State::start_line && content_max == to_size(limits_.start_line_max);
  if (in_start_line) return refuse({414, "the start line is too long"});
  return refuse({431, "the fields are too large"});
}

std::optional<HeadFault> HeadScan::take(std::string_view line) {
  if (state_ == State::fields) {
    if (rules_.facts().fields == limits_.fields_max) return HeadFault{431, "too many fields"};
    return rules_.take(line);
  }
  state_ = State::fields;
  if (side_ == Side::request) return check_request_line(line, &minor_version_);
  return check_status_line(line, &minor_version_, &status_);
}

std::optional<HeadFault> HeadScan::finish() const {
  if (side_ == Side::request) return rules_.finish_request(minor_version_);
  return rules_.finish_response(minor_version_, status_);
}

HeadScan::Outcome HeadScan::feed(std::string_view input) {
  if (state_ == State::faulty) return Outcome::fault;
  while (state_ != State::complete) {
    const size_t max = content_max();
    const LineScan::Outcome outcome = lines_.next(input, line_begin_, max);
    if (outcome == LineScan::Outcome::need_more) return Outcome::need_more;
    if (outcome != LineScan::Outcome::line) return refuse_line(outcome, max);
    const std::string_view line = input.substr(line_begin_, lines_.end() - line_begin_);
    line_begin_ = lines_.end() + kLineEnd;
    const bool is_last = line.empty() && state_ == State::fields;
    if (const auto fault = is_last ? finish() : take(line)) return refuse(*fault);
    if (is_last) state_ = State::complete;
  }
  return Outcome::complete;
}

}  // namespace sluice::drivers
