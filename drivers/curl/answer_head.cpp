#include "drivers/curl/answer_head.h"

namespace sluice::drivers {

bool AnswerHead::fail(std::string_view why) {
  why_ = why;
  return false;
}

bool AnswerHead::take_line(std::string_view line) {
  if (state_ == State::complete) return true;  // a trailer
  bytes_ += line.size();
  if (bytes_ > kAnswerHeadBytesMax) return fail("the head of its answer is too large");
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (state_ == State::before) return take_status(line);
  return line.empty() ? finish() : take_field(line);
}

// RFC 9112 section 4: HTTP/1.1 SP 3DIGIT SP [reason].
bool AnswerHead::take_status(std::string_view line) {
  constexpr size_t kVersionSize = 9;  // with its blank
  if (!line.starts_with("HTTP/1.") || line.size() < kVersionSize + 3) {
    return fail("its answer is not HTTP/1.1");
  }
  const auto status = to_integer(line.substr(kVersionSize, 3));
  if (!status || *status < 100) return fail("the status of its answer is no number");
  head_ = ports::HttpResponseHead();
  head_.status = static_cast<int>(*status);
  head_.keep_alive = line[7] != '0';
  state_ = State::fields;
  return true;
}

bool AnswerHead::take_field(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || line.front() == ' ' ||
      line.front() == '\t') {
    return fail("a field in the head of its answer is malformed");
  }
  if (head_.fields.size() >= kAnswerFieldsMax) return fail("its answer has too many fields");
  head_.fields.add(line.substr(0, colon), trim(line.substr(colon + 1)));
  return true;
}

bool AnswerHead::finish() {
  if (head_.status < 200) {
    state_ = State::before;
    return true;
  }
  const std::string_view coding = head_.fields.get("Content-Encoding");
  if (!coding.empty() && !equal_ignoring_case(coding, "identity")) {
    return fail("its answer is compressed, which was not asked for");
  }
  if (head_.fields.find("Transfer-Encoding") == nullptr) {
    const auto length = to_integer(head_.fields.get("Content-Length"));
    if (length && *length >= 0) head_.content_length = static_cast<uint64_t>(*length);
  }
  if (equal_ignoring_case(head_.fields.get("Connection"), "close")) head_.keep_alive = false;
  state_ = State::complete;
  return true;
}

}  // namespace sluice::drivers
