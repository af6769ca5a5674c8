// The same as scan_json_object (json_scan.h) for a text that comes in pieces and is too large to be
// held: where the top-level members of a JSON object stand. Nothing of the text is kept but keys.
// A value. Order: feed() all bytes, then finish().
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/ports/json.h"
#include "firmware/ports/json_scan.h"

namespace sluice::ports {

class JsonStreamScan {
 public:
  void feed(std::string_view bytes);                            // after a fault bytes are ignored
  const std::optional<Error>& fault() const { return fault_; }  // as finish() would give it
  // Errors: as scan_json_object, and a text that ends early.
  Result<JsonScan> finish();

 private:
  enum class At {
    start,           // blanks before the object
    key_or_close,    // after '{'
    key,             // after ',' in an object
    colon,           // after a key
    value,           // after ':', or after ',' in a list
    value_or_close,  // after '['
    after_value,
    string,
    escape,  // after a backslash
    hex,     // in \uXXXX
    number,
    literal,
    done,
  };
  enum class Digits {
    sign,
    zero,
    whole,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits
  };

  size_t skip_plain(std::string_view bytes, size_t at);
  void take(char c);
  void take_structure(char c);
  void take_after_value(char c);
  void begin_value(char c);
  void begin_string(bool is_key);
  void take_in_string(char c);
  void take_escaped(char c);
  void take_hex(char c);
  void take_utf8(unsigned char c);
  bool take_digit(char c);  // false: the number ended before c
  void end_string();
  void end_value(size_t end);  // one past its last byte
  void open(char bracket);
  void close(char bracket);
  bool in_object() const { return nest_.back() == '{'; }
  void refuse(std::string_view what);

  At at_ = At::start;
  size_t base_ = 0;   // offset of the piece that is fed
  size_t here_ = 0;   // of the byte that is looked at
  std::string nest_;  // open brackets, kJsonDepthMax at most
  JsonScan scan_;
  std::optional<Error> fault_;
  // In a string.
  bool is_key_ = false;
  bool keeps_key_ = false;  // a top-level key: its bytes are kept
  std::string key_;         // with its quotes
  size_t key_begin_ = 0;
  int utf8_left_ = 0;  // continuation bytes to come
  unsigned char utf8_low_ = 0x80;
  unsigned char utf8_high_ = 0xbf;
  int hex_left_ = 0;
  unsigned hex_ = 0;
  bool low_surrogate_due_ = false;
  // In a number or literal.
  Digits digits_ = Digits::sign;
  std::string_view literal_;
  size_t literal_at_ = 0;
};

}  // namespace sluice::ports
