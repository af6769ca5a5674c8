// A metrics page as it arrives, of which only the lines are kept that somebody wants: a long page
// costs the memory of its few lines, and no more than a look at the name of each.
// Order: feed() as bytes come, then finish() once, then text().
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "firmware/base/units.h"

namespace sluice::sense {

inline constexpr Bytes kMetricsLineMax{64 * 1024};  // a longer one is left out

// Names, sorted; none: all are wanted. They outlive this.
class WantedNames {
 public:
  explicit WantedNames(std::span<const std::string> names) : names_(names) {}
  // Whether the line's metric is wanted; `name` is its name then or not, empty if it has none. The
  // lines of one metric stand together: the last one's name is tried first.
  bool has(std::string_view line, std::string_view& name);

 private:
  std::span<const std::string> names_;
  std::string last_;
  bool last_wanted_ = false;
};

// The name with which a line of a metrics page begins; empty where none stands.
std::string_view metric_name(std::string_view line);

class PageSieve {
 public:
  // `page_max`: what is read of a page, kept or not.
  PageSieve(std::span<const std::string> names, Bytes page_max);

  // False: the page is longer than is read, and what comes is lost.
  bool feed(std::string_view bytes);
  void finish();
  std::string_view text() const { return kept_; }  // a page for parse_exposition()
  size_t read_bytes() const { return read_; }
  int long_lines() const { return long_lines_; }

 private:
  void take_line(std::string_view line);
  void hold(std::string_view part);
  void end_line();

  const size_t page_max_;
  WantedNames wanted_;
  std::string held_;       // of a line whose end has not come
  bool skipping_ = false;  // that line is too long
  bool ended_ = false;     // the last line said "# EOF"
  std::string kept_;
  size_t read_ = 0;
  int long_lines_ = 0;
};

}  // namespace sluice::sense
