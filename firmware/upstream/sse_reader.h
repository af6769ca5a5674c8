// Cuts a stream of server-sent events into events, keeping their bytes (WHATWG HTML, section
// "Server-sent events": lines end with LF, CR or CRLF; an empty line ends an event).
// A value: feed it pieces, take out whole events.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::upstream {

struct SseEvent {
  std::string_view raw;   // all bytes, the empty line included; valid until the next feed()
  std::string_view name;  // of the `event:` line; empty if none
  // Of the `data:` lines, without the blank after the colon; several are joined with LF. Valid
  // until the next call of the reader.
  std::string_view data;
  bool is_joined = false;  // `data` is of several lines, and so no part of `raw`
};

class SseReader {
 public:
  static constexpr size_t kEventMax = 1024 * 1024;

  void feed(std::string_view bytes);
  std::optional<SseEvent> next();  // nothing: no whole event is there
  // What is left when the stream has ended: an event whose empty line never came. Nothing if no
  // bytes are left. Browsers drop it; clients that read line by line do not.
  std::optional<SseEvent> unfinished();
  // Bytes of an unfinished event. Beyond kEventMax the stream is not what it says it is.
  std::string_view rest() const { return std::string_view(buffer_).substr(begin_); }
  bool is_too_long() const { return buffer_.size() - begin_ > kEventMax; }

 private:
  std::optional<size_t> end_of_event();
  SseEvent read_event(std::string_view raw);

  std::string buffer_;
  std::string joined_;  // of the event last read, where it has several data lines
  size_t begin_ = 0;    // of the first event not taken out
  size_t scanned_ = 0;  // up to here no empty line was found
};

}  // namespace sluice::upstream
