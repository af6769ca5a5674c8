#include "drivers/http1/line_scan.h"

#include "drivers/http1/octets.h"

namespace sluice::drivers {

LineScan::Outcome LineScan::next(std::string_view input, size_t begin, size_t content_max) {
  if (scanned_ < begin) scanned_ = begin;
  const size_t at = find_control(input, scanned_);
  scanned_ = at;
  if (at > begin + content_max) return Outcome::too_long;
  if (at >= input.size()) return Outcome::need_more;
  if (input[at] == '\n') return Outcome::bare_lf;
  if (input[at] != '\r') return Outcome::control;
  if (at + 1 == input.size()) return Outcome::need_more;
  return input[at + 1] == '\n' ? Outcome::line : Outcome::bare_cr;
}

const char* LineScan::text(Outcome fault) {
  switch (fault) {
    case Outcome::too_long:
      return "a line is too long";
    case Outcome::bare_cr:
      return "a CR without LF";
    case Outcome::bare_lf:
      return "a line ends with LF alone";
    case Outcome::control:
      return "a control character";
    case Outcome::need_more:
    case Outcome::line:
      break;
  }
  return "no fault";
}

}  // namespace sluice::drivers
