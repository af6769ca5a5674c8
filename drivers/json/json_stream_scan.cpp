// JSON grammar: RFC 8259; UTF-8: RFC 3629, section 4.
#include "firmware/ports/json_stream_scan.h"

#include <fmt/format.h>

#include <array>

namespace sluice::ports {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes of a string that need no look: printable ASCII but for quotation mark and backslash.
constexpr std::array<bool, 256> plain_bytes() {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}
constexpr std::array<bool, 256> kPlain = plain_bytes();

}  // namespace

void JsonStreamScan::refuse(std::string_view what) {
  if (fault_) return;
  fault_ = Error{ErrorKind::refused, "json", fmt::format("{} at byte {}", what, here_)};
}

void JsonStreamScan::feed(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size() && !fault_; ++at) {
    if (at_ == At::string) at = skip_plain(bytes, at);
    if (at == bytes.size()) break;
    here_ = base_ + at;
    take(bytes[at]);
  }
  base_ += bytes.size();
}

// Of a key that is too long no more than one piece is kept: the next byte that is looked at tells.
size_t JsonStreamScan::skip_plain(std::string_view bytes, size_t at) {
  if (utf8_left_ > 0 || low_surrogate_due_) return at;
  const size_t from = at;
  while (at < bytes.size() && kPlain[static_cast<unsigned char>(bytes[at])]) ++at;
  if (keeps_key_ && key_.size() <= kJsonKeyMax) key_.append(bytes.substr(from, at - from));
  return at;
}

void JsonStreamScan::take(char c) {
  switch (at_) {
    case At::string:
      return take_in_string(c);
    case At::escape:
      return take_escaped(c);
    case At::hex:
      return take_hex(c);
    case At::number:
      if (take_digit(c)) return;
      break;
    case At::literal:
      if (c != literal_[literal_at_]) return refuse("not valid JSON");
      if (++literal_at_ == literal_.size()) end_value(here_ + 1);
      return;
    default:
      break;
  }
  if (!fault_ && !is_blank(c)) take_structure(c);
}

void JsonStreamScan::take_structure(char c) {
  switch (at_) {
    case At::start:
      if (c != '{') return refuse("not a JSON object");
      return open(c);
    case At::key_or_close:
      if (c == '}') return close(c);
      [[fallthrough]];
    case At::key:
      if (c != '"') return refuse("not valid JSON: a key was expected");
      return begin_string(true);
    case At::colon:
      if (c != ':') return refuse("not valid JSON: a colon was expected");
      at_ = At::value;
      return;
    case At::value_or_close:
      if (c == ']') return close(c);
      [[fallthrough]];
    case At::value:
      return begin_value(c);
    case At::after_value:
      return take_after_value(c);
    default:
      return refuse("not valid JSON: something follows the object");
  }
}

void JsonStreamScan::take_after_value(char c) {
  if (c == ',') {
    at_ = in_object() ? At::key : At::value;
  } else if (c == '}' || c == ']') {
    close(c);
  } else {
    refuse("not valid JSON: a comma was expected");
  }
}

void JsonStreamScan::begin_value(char c) {
  if (nest_.size() == 1) scan_.members.back().value_begin = here_;
  if (c == '{' || c == '[') return open(c);
  if (c == '"') return begin_string(false);
  if (c == '-' || is_digit(c)) {
    at_ = At::number;
    digits_ = c == '-' ? Digits::sign : c == '0' ? Digits::zero : Digits::whole;
    return;
  }
  literal_ = c == 't' ? "true" : c == 'f' ? "false" : c == 'n' ? "null" : "";
  if (literal_.empty()) return refuse("not valid JSON: a value was expected");
  literal_at_ = 1;
  at_ = At::literal;
}

void JsonStreamScan::open(char bracket) {
  if (nest_.size() == static_cast<size_t>(kJsonDepthMax)) return refuse("nested too deeply");
  nest_.push_back(bracket);
  at_ = bracket == '{' ? At::key_or_close : At::value_or_close;
}

void JsonStreamScan::close(char bracket) {
  if (in_object() != (bracket == '}')) return refuse("not valid JSON: the wrong bracket");
  nest_.pop_back();
  if (!nest_.empty()) return end_value(here_ + 1);
  scan_.close_brace = here_;
  at_ = At::done;
}

void JsonStreamScan::end_value(size_t end) {
  at_ = At::after_value;
  if (nest_.size() != 1) return;
  JsonMember& member = scan_.members.back();
  member.value_size = end - member.value_begin;
}

void JsonStreamScan::begin_string(bool is_key) {
  at_ = At::string;
  is_key_ = is_key;
  keeps_key_ = is_key && nest_.size() == 1;
  if (!keeps_key_) return;
  key_ = "\"";
  if (scan_.members.size() == kJsonMembersMax) {
    return refuse(fmt::format("more than {} members", kJsonMembersMax));
  }
  key_begin_ = here_;
}

void JsonStreamScan::take_in_string(char c) {
  if (keeps_key_) key_.push_back(c);
  if (keeps_key_ && key_.size() > kJsonKeyMax) {
    here_ = key_begin_;
    return refuse("a key is too long");
  }
  const auto byte = static_cast<unsigned char>(c);
  if (utf8_left_ > 0) return take_utf8(byte);
  if (low_surrogate_due_ && c != '\\') return refuse("half a surrogate pair");
  if (c == '"') return end_string();
  if (c == '\\') {
    at_ = At::escape;
  } else if (byte < 0x20) {
    refuse("a control character in a string");
  } else if (byte >= 0x80) {
    take_utf8(byte);
  }
}

// Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
void JsonStreamScan::take_utf8(unsigned char c) {
  if (utf8_left_ > 0) {
    if (c < utf8_low_ || c > utf8_high_) return refuse("not UTF-8");
    utf8_low_ = 0x80;
    utf8_high_ = 0xbf;
    --utf8_left_;
    return;
  }
  if (c < 0xc2 || c > 0xf4) return refuse("not UTF-8");
  utf8_left_ = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  utf8_low_ = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  utf8_high_ = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
}

void JsonStreamScan::take_escaped(char c) {
  if (keeps_key_) key_.push_back(c);
  if (c == 'u') {
    hex_left_ = 4;
    hex_ = 0;
    at_ = At::hex;
    return;
  }
  if (low_surrogate_due_) return refuse("half a surrogate pair");
  if (std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) {
    return refuse("not valid JSON: an unknown escape");
  }
  at_ = At::string;
}

void JsonStreamScan::take_hex(char c) {
  if (keeps_key_) key_.push_back(c);
  unsigned digit = 0;
  if (is_digit(c)) {
    digit = static_cast<unsigned>(c - '0');
  } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
    digit = static_cast<unsigned>((c | 0x20) - 'a') + 10;
  } else {
    return refuse("not valid JSON: not a hexadecimal digit");
  }
  hex_ = hex_ * 16 + digit;
  if (--hex_left_ > 0) return;
  at_ = At::string;
  const bool is_low = hex_ >= 0xdc00 && hex_ <= 0xdfff;
  if (is_low != low_surrogate_due_) return refuse("half a surrogate pair");
  low_surrogate_due_ = hex_ >= 0xd800 && hex_ <= 0xdbff;
}

void JsonStreamScan::end_string() {
  if (!is_key_) return end_value(here_ + 1);
  at_ = At::colon;
  if (!keeps_key_) return;
  keeps_key_ = false;
  Result<std::string> key = read_json_string(key_);
  if (!key) return refuse("not a key");
  if (scan_.find(*key) != nullptr) {
    here_ = key_begin_;
    return refuse("duplicate key " + write_json_string(*key));
  }
  JsonMember& member = scan_.members.emplace_back();
  member.key = *std::move(key);
  member.key_begin = key_begin_;
}

bool JsonStreamScan::take_digit(char c) {
  const bool digit = is_digit(c);
  switch (digits_) {
    case Digits::sign:
      if (!digit) break;
      digits_ = c == '0' ? Digits::zero : Digits::whole;
      return true;
    case Digits::point:
      if (!digit) break;
      digits_ = Digits::fraction;
      return true;
    case Digits::exponent:
      if (!digit && c != '+' && c != '-') break;
      digits_ = digit ? Digits::exponent_digits : Digits::exponent_sign;
      return true;
    case Digits::exponent_sign:
      if (!digit) break;
      digits_ = Digits::exponent_digits;
      return true;
    case Digits::zero:
    case Digits::whole:
    case Digits::fraction:
    case Digits::exponent_digits: {
      if (digit && digits_ != Digits::zero) return true;
      const bool whole = digits_ == Digits::zero || digits_ == Digits::whole;
      if (digit) break;  // after a leading zero
      if (c == '.' && whole) {
        digits_ = Digits::point;
        return true;
      }
      if ((c == 'e' || c == 'E') && digits_ != Digits::exponent_digits) {
        digits_ = Digits::exponent;
        return true;
      }
      end_value(here_);
      return false;
    }
  }
  refuse("not valid JSON: not a number");
  return true;
}

Result<JsonScan> JsonStreamScan::finish() {
  here_ = base_;
  if (at_ != At::done)
    refuse(base_ == 0 ? "an empty text, not a JSON object," : "the JSON ends early");
  if (fault_) return *fault_;
  return std::move(scan_);
}

}  // namespace sluice::ports
