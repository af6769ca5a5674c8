// The raw scan of a message head, before any other reader sees it: ends of lines, sizes, counts,
// and the rules of start_line.h and field_rules.h. What passes here is one whole head that all
// strict parsers read alike.
// Order: feed() with all bytes from the head's first one on, until `complete` or `fault`. Bytes
// looked at once are not looked at again.
#pragma once

#include <string_view>

#include "drivers/http1/field_rules.h"
#include "drivers/http1/line_scan.h"
#include "firmware/ports/http_parser.h"

namespace sluice::drivers {

class HeadScan {
 public:
  using Side = FieldRules::Side;
  enum class Outcome { need_more, complete, fault };

  HeadScan(const ports::HttpLimits& limits, Side side);

  Outcome feed(std::string_view input);
  void restart();
  bool has_started() const { return line_begin_ > 0 || lines_.end() > 0; }

  size_t size() const { return line_begin_; }  // after complete: the empty line included
  int minor_version() const { return minor_version_; }
  int status() const { return status_; }  // of a response
  const FieldRules& rules() const { return rules_; }
  const HeadFault& fault() const { return fault_; }

 private:
  enum class State { start_line, fields, complete, faulty };

  Outcome refuse(HeadFault fault);
  Outcome refuse_line(LineScan::Outcome why, size_t content_max);
  size_t content_max() const;
  std::optional<HeadFault> take(std::string_view line);
  std::optional<HeadFault> finish() const;

  const ports::HttpLimits limits_;
  const Side side_;
  State state_ = State::start_line;
  LineScan lines_;
  FieldRules rules_;
  size_t line_begin_ = 0;
  int minor_version_ = 1;
  int status_ = 0;
  HeadFault fault_;
};

}  // namespace sluice::drivers
