#include "tests/testbed/http_reader.h"

#include <algorithm>
#include <charconv>

namespace sluice::testbed {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool parse_number(std::string_view text, int base, std::uint64_t* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value, base);
  return !text.empty() && result.ec == std::errc() && result.ptr == text.data() + text.size();
}

}  // namespace

std::size_t HttpReader::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && !done() && !broken()) {
    const bool in_body =
        state_ == State::length_body || state_ == State::close_body || state_ == State::chunk_body;
    used += in_body ? feed_body(bytes.substr(used)) : feed_line(bytes.substr(used));
  }
  return used;
}

std::size_t HttpReader::feed_line(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const std::size_t used = end == std::string_view::npos ? bytes.size() : end + 1;
  line_.append(bytes.substr(0, used));
  if (line_.size() > kMaxLine) {
    state_ = State::broken;
  } else if (end != std::string_view::npos) {
    std::string_view line(line_);
    line.remove_suffix(1);
    if (line.empty() || line.back() != '\r') {
      state_ = State::broken;
      return used;
    }
    line.remove_suffix(1);
    on_line(line);
    line_.clear();
  }
  return used;
}

std::size_t HttpReader::feed_body(std::string_view bytes) {
  if (state_ == State::close_body) {
    body_.append(bytes);
    return bytes.size();
  }
  const std::size_t used = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  body_.append(bytes.substr(0, used));
  left_ -= used;
  if (left_ == 0) state_ = state_ == State::chunk_body ? State::chunk_end : State::done;
  return used;
}

void HttpReader::on_line(std::string_view line) {
  switch (state_) {
    case State::first_line:
      on_first_line(line);
      break;
    case State::headers:
      line.empty() ? on_head_end() : on_header(line);
      break;
    case State::chunk_size:
      on_chunk_size(line);
      break;
    case State::chunk_end:
      state_ = line.empty() ? State::chunk_size : State::broken;
      break;
    case State::trailers:
      if (line.empty()) state_ = State::done;
      break;
    default:
      state_ = State::broken;
  }
}

void HttpReader::on_first_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first == std::string_view::npos ? first : first + 1);
  state_ = State::broken;
  if (first == std::string_view::npos) return;
  std::string_view version = line.substr(0, first);
  if (role_ == Role::request) {
    if (second == std::string_view::npos) return;
    method_ = std::string(line.substr(0, first));
    target_ = std::string(line.substr(first + 1, second - first - 1));
    version = line.substr(second + 1);
  } else {
    std::uint64_t status = 0;
    if (!parse_number(line.substr(first + 1, 3), 10, &status) || status < 100) return;
    status_ = static_cast<int>(status);
  }
  http10_ = version == "HTTP/1.0";
  if (http10_ || version == "HTTP/1.1") state_ = State::headers;
}

void HttpReader::on_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 || headers_.size() >= kMaxHeaders) {
    state_ = State::broken;
    return;
  }
  headers_.emplace_back(lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
}

void HttpReader::on_head_end() {
  if (role_ == Role::response && status_ / 100 == 1) {  // an interim answer: the next one counts
    headers_.clear();
    state_ = State::first_line;
    return;
  }
  const std::string_view coding = header("transfer-encoding");
  const std::string_view length = header("content-length");
  if (!coding.empty()) {
    state_ = lower(coding) == "chunked" && length.empty() ? State::chunk_size : State::broken;
  } else if (!length.empty()) {
    const bool valid = parse_number(length, 10, &left_);
    state_ = !valid ? State::broken : left_ == 0 ? State::done : State::length_body;
  } else {
    const bool bodyless = role_ == Role::request || status_ == 204 || status_ == 304;
    state_ = bodyless ? State::done : State::close_body;
  }
}

void HttpReader::on_chunk_size(std::string_view line) {
  if (!parse_number(trim(line.substr(0, line.find(';'))), 16, &left_)) {
    state_ = State::broken;
  } else {
    state_ = left_ == 0 ? State::trailers : State::chunk_body;
  }
}

void HttpReader::end_of_input() {
  if (state_ == State::close_body) state_ = State::done;
}

bool HttpReader::keeps_alive() const {
  const std::string connection = lower(header("connection"));
  return http10_ ? connection == "keep-alive" : connection != "close";
}

std::string_view HttpReader::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers_) {
    if (name == lower_case_name) return value;
  }
  return {};
}

}  // namespace sluice::testbed
