// Message bodies on the wire (RFC 9112 sections 6 and 7): none, counted, chunked, until the close.
// Own code instead of Beast's: the strict rules for chunk lines leave nothing else of it, and a
// chunk of a token stream costs one step.
//
// State: finished <- counted | until_close(at_end) | chunk_line -> chunk_data -> chunk_data_end
//        -> chunk_line ... ; chunk_line -> trailers -> finished; any -> faulty.
// Errors: sizes with anything but 1 to 16 hex digits, malformed or long extensions, data without
// its CR LF, trailers that are too large, malformed, or would change the framing. Good trailers and
// extensions are dropped.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "drivers/http1/line_scan.h"
#include "firmware/ports/http_parser.h"

namespace sluice::drivers {

inline constexpr size_t kChunkExtensionsMax = 4 * 1024;  // octets, all chunks of a message together

class BodyDecoder {
 public:
  explicit BodyDecoder(const ports::HttpLimits& limits) : limits_(limits) {}

  void start_none() { state_ = State::finished; }
  void start_counted(uint64_t length);
  void start_chunked();
  void start_until_close() { state_ = State::until_close; }

  // body, end, need_more or fault. After `end` it must not be called before the next start.
  ports::HttpStep step(std::string_view input);
  ports::HttpStep at_end();  // end or fault

 private:
  enum class State {
    finished,
    counted,
    until_close,
    chunk_line,
    chunk_data,
    chunk_data_end,
    trailers,
    faulty
  };

  ports::HttpStep take_counted(std::string_view input, size_t at);
  ports::HttpStep step_chunked(std::string_view input);
  // These three return nothing when the next state is to be looked at, *at moved on.
  std::optional<ports::HttpStep> take_chunk_line(std::string_view input, size_t* at);
  std::optional<ports::HttpStep> take_data_end(std::string_view input, size_t* at);
  std::optional<ports::HttpStep> take_trailer(std::string_view input, size_t* at);
  const char* read_chunk_line(std::string_view line);  // nullptr = good
  ports::HttpStep refuse(const char* fault);

  const ports::HttpLimits limits_;
  State state_ = State::finished;
  LineScan lines_;
  uint64_t remaining_ = 0;  // of the body or the chunk
  size_t extensions_ = 0;   // octets seen
  size_t trailers_ = 0;
};

}  // namespace sluice::drivers
