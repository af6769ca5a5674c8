#include "drivers/http1/body_decoder.h"

#include <algorithm>

#include "drivers/http1/field_rules.h"
#include "drivers/http1/octets.h"
#include "firmware/base/text.h"

namespace sluice::drivers {

namespace {

using ports::HttpEvent;
using ports::HttpStep;

constexpr size_t kSizeDigitsMax = 16;

HttpStep plain(HttpEvent event, size_t consumed) {
  HttpStep step;
  step.event = event;
  step.consumed = consumed;
  return step;
}

// Removes a quoted string from the front; false if it is not closed.
bool take_quoted(std::string_view* text) {
  for (size_t at = 1; at < text->size(); ++at) {
    if ((*text)[at] == '\\') {
      ++at;
    } else if ((*text)[at] == '"') {
      text->remove_prefix(at + 1);
      return true;
    }
  }
  return false;
}

bool take_token(std::string_view* text) {
  size_t size = 0;
  while (size < text->size() && is_octet((*text)[size], kTokenOctet)) ++size;
  text->remove_prefix(size);
  return size > 0;
}

// *( ";" name [ "=" ( token / quoted-string ) ] ), without the optional blanks.
bool is_extension_list(std::string_view text) {
  while (!text.empty()) {
    if (text.front() != ';') return false;
    text.remove_prefix(1);
    if (!take_token(&text)) return false;
    if (text.empty() || text.front() != '=') continue;
    text.remove_prefix(1);
    if (text.empty()) return false;
    if (text.front() == '"' ? !take_quoted(&text) : !take_token(&text)) return false;
  }
  return true;
}

bool changes_framing(std::string_view name) {
  return equal_ignoring_case(name, "content-length") ||
         equal_ignoring_case(name, "transfer-encoding") || equal_ignoring_case(name, "host");
}

}  // namespace

void BodyDecoder::start_counted(uint64_t length) {
  remaining_ = length;
  state_ = length == 0 ? State::finished : State::counted;
}

void BodyDecoder::start_chunked() {
  state_ = State::chunk_line;
  lines_.restart();
  extensions_ = 0;
  trailers_ = 0;
}

HttpStep BodyDecoder::refuse(const char* fault) {
  state_ = State::faulty;
  HttpStep step = plain(HttpEvent::fault, 0);
  step.status = 400;
  step.fault = fault;
  return step;
}

HttpStep BodyDecoder::step(std::string_view input) {
  switch (state_) {
    case State::finished:
      return plain(HttpEvent::end, 0);
    case State::counted: {
      HttpStep step = take_counted(input, 0);
      if (remaining_ == 0) state_ = State::finished;
      return step;
    }
    case State::until_close: {
      HttpStep step = plain(input.empty() ? HttpEvent::need_more : HttpEvent::body, input.size());
      step.body = input;
      return step;
    }
    case State::faulty:
      return refuse("the body was malformed");
    default:
      return step_chunked(input);
  }
}

HttpStep BodyDecoder::at_end() {
  if (state_ == State::until_close || state_ == State::finished) {
    state_ = State::finished;
    return plain(HttpEvent::end, 0);
  }
  return refuse("the connection closed inside the body");
}

// The next bytes of the body or the chunk, at input[at].
HttpStep BodyDecoder::take_counted(std::string_view input, size_t at) {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(remaining_, input.size() - at));
  if (size == 0) return plain(HttpEvent::need_more, at);
  remaining_ -= size;
  HttpStep step = plain(HttpEvent::body, at + size);
  step.body = input.substr(at, size);
  return step;
}

HttpStep BodyDecoder::step_chunked(std::string_view input) {
  size_t at = 0;
  while (true) {
    std::optional<HttpStep> step;
    if (state_ == State::chunk_line) {
      step = take_chunk_line(input, &at);
    } else if (state_ == State::chunk_data) {
      step = take_counted(input, at);
      if (remaining_ == 0) state_ = State::chunk_data_end;
    } else if (state_ == State::chunk_data_end) {
      step = take_data_end(input, &at);
    } else {
      step = take_trailer(input, &at);
    }
    if (step) return std::move(*step);
  }
}

std::optional<HttpStep> BodyDecoder::take_chunk_line(std::string_view input, size_t* at) {
  const std::string_view rest = input.substr(*at);
  const size_t line_max = static_cast<size_t>(limits_.chunk_line_max.count);
  const LineScan::Outcome outcome = lines_.next(rest, 0, line_max);
  if (outcome == LineScan::Outcome::need_more) return plain(HttpEvent::need_more, *at);
  if (outcome != LineScan::Outcome::line) return refuse(LineScan::text(outcome));
  const size_t size = lines_.end();
  lines_.restart();
  if (const char* fault = read_chunk_line(rest.substr(0, size))) return refuse(fault);
  *at += size + 2;
  state_ = remaining_ == 0 ? State::trailers : State::chunk_data;
  return std::nullopt;
}

const char* BodyDecoder::read_chunk_line(std::string_view line) {
  uint64_t size = 0;
  size_t digits = 0;
  while (digits < line.size() && is_octet(line[digits], kHexOctet)) {
    if (digits == kSizeDigitsMax) return "a chunk size is too long";
    size = size * 16 + static_cast<uint64_t>(hex_digit(line[digits]));
    ++digits;
  }
  if (digits == 0) return "a chunk has no size";
  if (size > INT64_MAX) return "a chunk size is too large";
  const std::string_view extensions = line.substr(digits);
  extensions_ += extensions.size();
  if (extensions_ > kChunkExtensionsMax) return "too many chunk extensions";
  if (!is_extension_list(extensions)) return "not a chunk size or a chunk extension";
  remaining_ = size;
  return nullptr;
}

std::optional<HttpStep> BodyDecoder::take_data_end(std::string_view input, size_t* at) {
  const std::string_view rest = input.substr(*at, 2);
  if (!std::string_view("\r\n").starts_with(rest)) return refuse("a chunk is longer than its size");
  if (rest.size() < 2) return plain(HttpEvent::need_more, *at);
  *at += 2;
  state_ = State::chunk_line;
  return std::nullopt;
}

std::optional<HttpStep> BodyDecoder::take_trailer(std::string_view input, size_t* at) {
  const std::string_view rest = input.substr(*at);
  const size_t total_max = static_cast<size_t>(limits_.trailer_max.count);
  const size_t line_max = std::min(kFieldLineMax, total_max - std::min(total_max, trailers_));
  const LineScan::Outcome outcome = lines_.next(rest, 0, line_max);
  if (outcome == LineScan::Outcome::need_more) return plain(HttpEvent::need_more, *at);
  if (outcome != LineScan::Outcome::line) return refuse(LineScan::text(outcome));
  const std::string_view line = rest.substr(0, lines_.end());
  lines_.restart();
  *at += line.size() + 2;
  trailers_ += line.size() + 2;
  if (line.empty()) {
    state_ = State::finished;
    return plain(HttpEvent::end, *at);
  }
  const auto name = field_name(line);
  if (!name) return refuse("a trailer line is not a name, a colon and a value");
  if (changes_framing(*name)) return refuse("a trailer would change the framing");
  return std::nullopt;
}

}  // namespace sluice::drivers
