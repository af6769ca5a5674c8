#include "tests/testbed/answer_scan.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice::testbed {

namespace {

// The value of a field in a whole head; empty if there is none. The name begins with "\n".
std::string_view field(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find('\n'); at != std::string_view::npos;
       at = head.find('\n', at + 1)) {
    const std::string_view rest = head.substr(at + 1);
    if (rest.size() <= name.size() || rest[name.size()] != ':') continue;
    if (::strncasecmp(rest.data(), name.data(), name.size()) != 0) continue;
    std::string_view value = rest.substr(name.size() + 1);
    value = value.substr(0, value.find('\r'));
    while (value.starts_with(' ')) value.remove_prefix(1);
    return value;
  }
  return {};
}

bool same_word(std::string_view text, std::string_view word) {
  return text.size() == word.size() && ::strncasecmp(text.data(), word.data(), word.size()) == 0;
}

}  // namespace

std::size_t AnswerScan::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && !done() && !broken()) {
    const std::string_view rest = bytes.substr(used);
    if (state_ == State::head) {
      used += feed_head(rest);
    } else if (state_ == State::length_body || state_ == State::chunk_body) {
      used += feed_body(rest);
    } else {
      used += feed_line(rest);
    }
  }
  return used;
}

std::size_t AnswerScan::feed_head(std::string_view bytes) {
  const std::size_t before = line_.size();
  line_.append(bytes);
  const std::size_t end = line_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    if (line_.size() > kHeadMax) state_ = State::broken;
    return bytes.size();
  }
  line_.resize(end + 2);
  on_head();
  line_.clear();
  return end + 4 - before;
}

void AnswerScan::on_head() {
  const std::string_view head = line_;
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) {
    state_ = State::broken;
    return;
  }
  std::from_chars(head.data() + 9, head.data() + 12, status_);
  closes_ = same_word(field(head, "connection"), "close");
  const std::string_view length = field(head, "content-length");
  if (same_word(field(head, "transfer-encoding"), "chunked")) {
    state_ = State::chunk_size;
  } else if (length.empty()) {
    state_ = State::broken;  // an answer until the connection closes is not expected here
  } else {
    std::from_chars(length.data(), length.data() + length.size(), left_);
    state_ = left_ > 0 ? State::length_body : State::done;
  }
}

std::size_t AnswerScan::feed_line(std::string_view bytes) {
  const std::size_t newline = bytes.find('\n');
  const std::size_t used = newline == std::string_view::npos ? bytes.size() : newline + 1;
  line_.append(bytes.substr(0, used));
  if (newline == std::string_view::npos) {
    if (line_.size() > kHeadMax) state_ = State::broken;
    return used;
  }
  if (state_ == State::chunk_size) {
    on_chunk_size();
  } else if (last_chunk_) {
    if (line_ == "\r\n") state_ = State::done;  // else a trailer, which is skipped
  } else {
    state_ = line_ == "\r\n" ? State::chunk_size : State::broken;
  }
  line_.clear();
  return used;
}

void AnswerScan::on_chunk_size() {
  const auto result = std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16);
  last_chunk_ = left_ == 0;
  state_ = result.ec != std::errc() ? State::broken
           : last_chunk_            ? State::chunk_end
                                    : State::chunk_body;
}

std::size_t AnswerScan::feed_body(std::string_view bytes) {
  const std::size_t used = std::min<std::size_t>(left_, bytes.size());
  count_events(bytes.substr(0, used));
  body_bytes_ += used;
  left_ -= used;
  if (left_ == 0) state_ = state_ == State::length_body ? State::done : State::chunk_end;
  return used;
}

void AnswerScan::count_events(std::string_view bytes) {
  while (!bytes.empty()) {
    if (after_newline_ && bytes.front() == '\n') ++events_;
    const std::size_t newline = bytes.front() == '\n' ? 0 : bytes.find('\n');
    after_newline_ = newline != std::string_view::npos;
    if (!after_newline_) return;
    bytes.remove_prefix(newline + 1);
  }
}

}  // namespace sluice::testbed
