#include "firmware/upstream/sse_reader.h"

#include <algorithm>

namespace sluice::upstream {

namespace {

struct Line {
  std::string_view text;
  size_t size = 0;  // with its end
};

// The next CR or LF; find_first_of() would call a function for each byte.
size_t line_end(std::string_view bytes, size_t from) {
  for (size_t at = from; at < bytes.size(); ++at) {
    if (bytes[at] == '\n' || bytes[at] == '\r') return at;
  }
  return std::string_view::npos;
}

Line first_line(std::string_view bytes) {
  const size_t end = line_end(bytes, 0);
  if (end == std::string_view::npos) return {bytes, bytes.size()};
  const bool crlf = bytes[end] == '\r' && end + 1 < bytes.size() && bytes[end + 1] == '\n';
  return {bytes.substr(0, end), end + (crlf ? 2 : 1)};
}

// The value of "field: value", one blank after the colon left out.
bool read_field(std::string_view line, std::string_view field, std::string_view* value) {
  if (line.substr(0, field.size()) != field) return false;
  line.remove_prefix(field.size());
  if (line.empty()) {
    *value = line;
    return true;
  }
  if (line.front() != ':') return false;
  line.remove_prefix(1);
  if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  *value = line;
  return true;
}

}  // namespace

void SseReader::feed(std::string_view bytes) {
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = scanned_ = 0;
  } else if (begin_ > 0) {
    buffer_.erase(0, begin_);
    scanned_ -= std::min(scanned_, begin_);
    begin_ = 0;
  }
  buffer_.append(bytes);
}

// One past the empty line that ends the first event. A CR at the very end may be half a CRLF: it
// is left until the next byte is there.
std::optional<size_t> SseReader::end_of_event() {
  size_t at = std::max(scanned_, begin_);
  while (true) {
    const size_t end = line_end(buffer_, at);
    if (end == std::string::npos) break;
    if (buffer_[end] == '\r' && end + 1 == buffer_.size()) break;
    const size_t next = end + (buffer_[end] == '\r' && buffer_[end + 1] == '\n' ? 2 : 1);
    const bool empty_line = end == begin_ || buffer_[end - 1] == '\n' || buffer_[end - 1] == '\r';
    if (empty_line) return next;
    at = next;
  }
  scanned_ = std::max(at, begin_);
  return std::nullopt;
}

SseEvent SseReader::read_event(std::string_view raw) {
  SseEvent event;
  event.raw = raw;
  int data_lines = 0;
  for (std::string_view rest = raw; !rest.empty();) {
    const Line line = first_line(rest);
    rest.remove_prefix(line.size);
    std::string_view value;
    if (read_field(line.text, "data", &value)) {
      if (++data_lines == 1) {
        event.data = value;
        continue;
      }
      if (data_lines == 2) joined_ = event.data;
      joined_.append("\n").append(value);
      event.data = joined_;
      event.is_joined = true;
    } else if (read_field(line.text, "event", &value)) {
      event.name = value;
    }
  }
  return event;
}

std::optional<SseEvent> SseReader::next() {
  const std::optional<size_t> end = end_of_event();
  if (!end) return std::nullopt;
  const SseEvent event = read_event(std::string_view(buffer_).substr(begin_, *end - begin_));
  begin_ = scanned_ = *end;
  return event;
}

std::optional<SseEvent> SseReader::unfinished() {
  if (rest().empty()) return std::nullopt;
  return read_event(rest());
}

}  // namespace sluice::upstream
