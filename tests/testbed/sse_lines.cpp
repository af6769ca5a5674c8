#include "tests/testbed/sse_lines.h"

namespace sluice::testbed {

void SseLines::feed(std::string_view bytes, const OnEvent& on_event) {
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_cr_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      line_.append(bytes);
      return;
    }
    line_.append(bytes.substr(0, end));
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    on_line(on_event);
    line_.clear();
  }
}

void SseLines::on_line(const OnEvent& on_event) {
  if (line_.empty()) {
    if (has_data_) on_event(name_, data_);
    name_.clear();
    data_.clear();
    has_data_ = false;
    return;
  }
  if (line_.front() == ':') {
    ++comments_;
    return;
  }
  const std::size_t colon = line_.find(':');
  const std::string_view line(line_);
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (field == "event") name_ = std::string(value);
  if (field != "data") return;
  if (has_data_) data_ += '\n';
  data_.append(value);
  has_data_ = true;
}

}  // namespace sluice::testbed
