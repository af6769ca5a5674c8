// Reads one HTTP answer as cheaply as can be while still counting what came: status, framing, body
// bytes, and the blank lines that end server-sent events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::testbed {

class AnswerScan {
 public:
  static constexpr std::size_t kHeadMax = 64 * 1024;

  // Returns how many bytes belonged to this answer.
  std::size_t feed(std::string_view bytes);

  bool done() const { return state_ == State::done; }
  bool broken() const { return state_ == State::broken; }
  bool began() const { return state_ != State::head || !line_.empty(); }
  int status() const { return status_; }
  bool closes() const { return closes_; }
  std::uint64_t body_bytes() const { return body_bytes_; }
  std::uint64_t events() const { return events_; }

 private:
  enum class State { head, length_body, chunk_size, chunk_body, chunk_end, done, broken };

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_line(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  void on_head();
  void on_chunk_size();
  void count_events(std::string_view bytes);

  State state_ = State::head;
  std::string line_;  // the head, or a line of the framing
  int status_ = 0;
  bool closes_ = false;
  bool last_chunk_ = false;
  bool after_newline_ = false;
  std::uint64_t left_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t events_ = 0;
};

}  // namespace sluice::testbed
