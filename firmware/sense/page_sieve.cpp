#include "firmware/sense/page_sieve.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "firmware/base/text.h"

namespace sluice::sense {

namespace {

constexpr std::string_view kEnd = "# EOF";  // tells OpenMetrics from the older format

enum : uint8_t { kBegins = 1, kGoesOn = 2 };
constexpr std::array<uint8_t, 256> kNameChars = [] {
  std::array<uint8_t, 256> chars{};
  for (int c = 'a'; c <= 'z'; ++c) chars[static_cast<size_t>(c)] = kBegins | kGoesOn;
  for (int c = 'A'; c <= 'Z'; ++c) chars[static_cast<size_t>(c)] = kBegins | kGoesOn;
  for (int c = '0'; c <= '9'; ++c) chars[static_cast<size_t>(c)] = kGoesOn;
  chars['_'] = kBegins | kGoesOn;
  chars[':'] = kBegins | kGoesOn;
  return chars;
}();
bool goes_on(char c) { return (kNameChars[static_cast<uint8_t>(c)] & kGoesOn) != 0; }

}  // namespace

bool WantedNames::has(std::string_view line, std::string_view& name) {
  const size_t length = last_.size();
  if (length > 0 && line.size() > length && !goes_on(line[length]) && line.starts_with(last_)) {
    name = line.substr(0, length);
    return last_wanted_;
  }
  name = metric_name(line);
  last_ = name;
  last_wanted_ = names_.empty() || std::binary_search(names_.begin(), names_.end(), name);
  return last_wanted_;
}

std::string_view metric_name(std::string_view line) {
  if (line.empty() || (kNameChars[static_cast<uint8_t>(line.front())] & kBegins) == 0) return {};
  size_t n = 1;
  while (n < line.size() && goes_on(line[n])) ++n;
  return line.substr(0, n);
}

PageSieve::PageSieve(std::span<const std::string> names, Bytes page_max)
    : page_max_(static_cast<size_t>(std::max<int64_t>(page_max.count, 0))), wanted_(names) {}

bool PageSieve::feed(std::string_view bytes) {
  if (bytes.size() > page_max_ - read_) return false;
  read_ += bytes.size();
  for (;;) {
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (held_.empty() && !skipping_) {
      take_line(line);
      continue;
    }
    hold(line);
    end_line();
  }
  hold(bytes);
  return true;
}

void PageSieve::hold(std::string_view part) {
  if (skipping_) return;
  if (held_.size() + part.size() <= static_cast<size_t>(kMetricsLineMax.count)) {
    held_.append(part);
    return;
  }
  skipping_ = true;
  held_.clear();
  ++long_lines_;
}

void PageSieve::finish() {
  end_line();
  if (ended_) kept_.append(kEnd).push_back('\n');
}

void PageSieve::end_line() {
  if (!skipping_) take_line(held_);
  held_.clear();
  skipping_ = false;
}

void PageSieve::take_line(std::string_view line) {
  if (line.empty()) return;
  if (line.front() == '#') {
    ended_ = trim(line) == kEnd;
    return;
  }
  line = trim(line);
  if (line.empty()) return;
  ended_ = false;
  std::string_view name;
  if (line.front() == '#' || !wanted_.has(line, name)) return;
  if (line.size() > static_cast<size_t>(kMetricsLineMax.count)) {
    ++long_lines_;
    return;
  }
  kept_.append(line).push_back('\n');
}

}  // namespace sluice::sense
