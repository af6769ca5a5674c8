// Where the parts of a multipart/form-data body stand (RFC 7578, RFC 2046 section 5.1), found while
// the body passes by in pieces; the values of wanted fields are kept, all else is only measured.
// Stricter than the RFCs where two readers might differ: lines end with CRLF, nothing stands before
// the first boundary or after the last (but for an empty line), a boundary is a line of its own,
// each part has one Content-Disposition with one name, and neither part nor name is encoded.
// A value. Order: feed() all bytes, then finish().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::upstream {

// The boundary that a Content-Type field names. Errors: refused, if it is not multipart/form-data
// with one boundary of 1 to 70 of the characters that RFC 2046 allows.
Result<std::string> multipart_boundary(std::string_view content_type);

struct MultipartPart {
  std::string name;
  bool is_file = false;  // it has a file's name
  bool is_kept = false;  // `value` is its text
  uint64_t begin = 0;    // of its content in the body
  uint64_t size = 0;
  std::string value;
};

// The head of a part: lines that each end with CRLF. Errors: refused.
Result<MultipartPart> read_part_head(std::string_view head);

class MultipartScan {
 public:
  static constexpr size_t kPartsMax = 128;
  static constexpr size_t kHeadMax = 4096;   // of one part
  static constexpr size_t kValueMax = 1024;  // of a wanted field

  MultipartScan(std::string_view boundary, std::vector<std::string> wanted);

  void feed(std::string_view bytes);  // after a fault bytes are ignored
  const std::optional<Error>& fault() const { return fault_; }
  Result<void> finish();  // Errors: refused, with what is wrong and the byte offset
  const std::vector<MultipartPart>& parts() const { return parts_; }

 private:
  enum class At {
    content,    // of a part; before the first boundary nothing is allowed
    boundary,   // within "--boundary", whose CRLF may have come
    line_end,   // behind it
    line_feed,  // behind its CR
    dash,       // the second one of a closing boundary
    head,
    over,
  };

  size_t take_content(std::string_view bytes, size_t at);
  void take_boundary(char c);
  void take_line_end(char c);
  void take_head(char c);
  void take_over(char c);
  void begin_part();
  void keep(std::string_view bytes);
  void refuse(std::string_view what);

  const std::string delimiter_;  // CRLF -- boundary
  const std::vector<std::string> wanted_;
  At at_ = At::boundary;
  size_t matched_ = 2;  // bytes of the delimiter; the body's begin stands for its CRLF
  uint64_t here_ = 0;   // offset of the next byte
  std::string head_;
  std::vector<MultipartPart> parts_;
  std::string tail_;  // behind the last boundary: nothing, CRLF, or an empty line more
  std::optional<Error> fault_;
};

}  // namespace sluice::upstream
