// Server-sent events from any slicing of their bytes: LF, CRLF and CR line ends, comments skipped,
// several data lines joined by LF.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace sluice::testbed {

class SseLines {
 public:
  static constexpr std::size_t kMaxEvent = 16 << 20;

  using OnEvent = std::function<void(std::string_view name, std::string_view data)>;

  void feed(std::string_view bytes, const OnEvent& on_event);
  std::size_t comments() const { return comments_; }
  bool too_long() const { return line_.size() > kMaxEvent || data_.size() > kMaxEvent; }
  // Bytes of an event that has not been ended by a blank line.
  bool pending() const { return !line_.empty() || has_data_; }

 private:
  void on_line(const OnEvent& on_event);

  std::string line_;
  std::string name_;
  std::string data_;
  bool has_data_ = false;
  bool after_cr_ = false;
  std::size_t comments_ = 0;
};

}  // namespace sluice::testbed
