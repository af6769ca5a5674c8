// Finds one line after the other in bytes that arrive in pieces. A line ends with CR LF and with
// nothing else; a control octet inside one is refused at once, so that a peer which speaks another
// protocol (or ends lines with LF alone) gets its answer instead of a silence.
// Order: give next() the same bytes again, and more behind them, after need_more; what was looked
// at is not looked at again.
// The outcome depends on the bytes only, not on the pieces: the first offence in byte order wins.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::drivers {

class LineScan {
 public:
  enum class Outcome { need_more, line, too_long, bare_cr, bare_lf, control };

  // The line that begins at `begin` of `input`; `content_max` bounds it without its CR LF.
  // After `line` it is input[begin, end()) and the following one begins at end() + 2.
  Outcome next(std::string_view input, size_t begin, size_t content_max);
  size_t end() const { return scanned_; }
  void restart() { scanned_ = 0; }

  static const char* text(Outcome fault);

 private:
  size_t scanned_ = 0;  // no control octet before this one, counted from the input's front
};

}  // namespace sluice::drivers
