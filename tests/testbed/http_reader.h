// Reads one HTTP/1.1 message, either direction, from any slicing of its bytes. Strict where framing
// is concerned: what it cannot frame is `broken`. Independent of the product's parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::testbed {

class HttpReader {
 public:
  enum class Role { request, response };
  static constexpr std::size_t kMaxLine = 64 * 1024;
  static constexpr std::size_t kMaxHeaders = 256;

  explicit HttpReader(Role role) : role_(role) {}

  // Returns how many bytes belonged to this message; the rest is the next one's.
  std::size_t feed(std::string_view bytes);
  // The peer closed: ends a body that lasts until close; a message cut short stays unfinished.
  void end_of_input();

  bool head_done() const { return state_ > State::headers; }
  bool done() const { return state_ == State::done; }
  bool broken() const { return state_ == State::broken; }
  bool started() const { return state_ != State::first_line || !line_.empty(); }

  const std::string& method() const { return method_; }
  const std::string& target() const { return target_; }
  int status() const { return status_; }
  bool http10() const { return http10_; }
  bool keeps_alive() const;
  std::string_view header(std::string_view lower_case_name) const;  // first one, or empty
  std::string take_body() { return std::exchange(body_, {}); }
  const std::string& body() const { return body_; }

 private:
  // Order matters: everything after `headers` has a complete head.
  enum class State {
    first_line,
    headers,
    length_body,
    close_body,
    chunk_size,
    chunk_body,
    chunk_end,
    trailers,
    done,
    broken
  };

  std::size_t feed_line(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  void on_line(std::string_view line);
  void on_first_line(std::string_view line);
  void on_header(std::string_view line);
  void on_head_end();
  void on_chunk_size(std::string_view line);

  Role role_;
  State state_ = State::first_line;
  std::string line_;
  std::string method_;
  std::string target_;
  int status_ = 0;
  bool http10_ = false;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::uint64_t left_ = 0;
  std::string body_;
};

}  // namespace sluice::testbed
