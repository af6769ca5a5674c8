// What the heads around a form's parts say: the boundary in Content-Type, the name in
// Content-Disposition (RFC 7578 section 4.2, RFC 2183; browsers write a quotation mark as %22).
#include <algorithm>

#include "firmware/base/text.h"
#include "firmware/upstream/multipart_scan.h"

namespace sluice::upstream {

namespace {

constexpr size_t kBoundaryMax = 70;

Error refused(std::string text) { return {ErrorKind::refused, "body", std::move(text)}; }

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_token_char(char c) {
  return is_letter_or_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string::npos;
}

bool is_boundary_char(char c) {
  return is_letter_or_digit(c) || std::string_view("'()+_,-./:=? ").find(c) != std::string::npos;
}

// "; name=value" or "; name="quoted value"" one after another.
class Parameters {
 public:
  explicit Parameters(std::string_view text) : rest_(text) {}

  bool next() {
    name_.clear();
    value_.clear();
    skip_blanks();
    if (rest_.empty()) return false;
    if (!take(';')) return fail();
    skip_blanks();
    while (!rest_.empty() && is_token_char(rest_.front())) name_ += take_one();
    if (name_.empty() || !take('=')) return fail();
    if (!take('"')) {
      while (!rest_.empty() && is_token_char(rest_.front())) value_ += take_one();
      return !value_.empty() || fail();
    }
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      value_ += take_one();
    }
    return take('"') || fail();
  }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }
  bool is_bad() const { return bad_; }

 private:
  bool fail() {
    bad_ = true;
    return false;
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  char take_one() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
      rest_.remove_prefix(1);
    }
  }

  std::string_view rest_;
  std::string name_;
  std::string value_;
  bool bad_ = false;
};

// The type before the parameters.
std::string_view type_of(std::string_view value) { return trim(value.substr(0, value.find(';'))); }

std::string_view parameters_of(std::string_view value) {
  const size_t at = value.find(';');
  return at == std::string_view::npos ? std::string_view() : value.substr(at);
}

Result<void> read_disposition(std::string_view value, MultipartPart& part) {
  if (!equal_ignoring_case(type_of(value), "form-data")) {
    return refused("a part's Content-Disposition is not form-data");
  }
  Parameters parameters(parameters_of(value));
  bool named = false;
  while (parameters.next()) {
    if (equal_ignoring_case(parameters.name(), "name")) {
      if (named) return refused("a part has two names");
      named = true;
      part.name = parameters.value();
    }
    // Some readers take "name*" (RFC 8187) before "name": they would see another field than we do.
    if (starts_with_ignoring_case(parameters.name(), "name*")) {
      return refused("a part's name is encoded; write it as it is");
    }
    if (starts_with_ignoring_case(parameters.name(), "filename")) part.is_file = true;
  }
  if (parameters.is_bad()) return refused("a part's Content-Disposition cannot be read");
  if (!named) return refused("a part has no name");
  return {};
}

Result<void> read_line(std::string_view line, bool& disposed, MultipartPart& part) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 ||
      !std::all_of(line.begin(), line.begin() + static_cast<ptrdiff_t>(colon), is_token_char)) {
    return refused("a part's head has a line that is no field");
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (equal_ignoring_case(name, "content-disposition")) {
    if (disposed) return refused("a part has two Content-Dispositions");
    disposed = true;
    return read_disposition(value, part);
  }
  if (equal_ignoring_case(name, "content-transfer-encoding") &&
      !equal_ignoring_case(value, "binary") && !equal_ignoring_case(value, "8bit") &&
      !equal_ignoring_case(value, "7bit")) {
    return refused("a part is encoded; send it as it is");
  }
  return {};
}

}  // namespace

Result<std::string> multipart_boundary(std::string_view content_type) {
  if (!equal_ignoring_case(type_of(content_type), "multipart/form-data")) {
    return refused("this endpoint takes a form: send it as multipart/form-data");
  }
  std::string boundary;
  Parameters parameters(parameters_of(content_type));
  while (parameters.next()) {
    if (!equal_ignoring_case(parameters.name(), "boundary")) continue;
    if (!boundary.empty()) return refused("the Content-Type names two boundaries");
    boundary = parameters.value();
  }
  const bool good = !parameters.is_bad() && !boundary.empty() && boundary.size() <= kBoundaryMax &&
                    boundary.back() != ' ' &&
                    std::all_of(boundary.begin(), boundary.end(), is_boundary_char);
  if (!good) return refused("the Content-Type names no boundary of 1 to 70 allowed characters");
  return boundary;
}

Result<MultipartPart> read_part_head(std::string_view head) {
  MultipartPart part;
  bool disposed = false;
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    if (end == std::string_view::npos) return refused("a part's head is cut off");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const bool odd = std::any_of(line.begin(), line.end(),
                                 [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    if (odd) return refused("a part's head has a line that does not end with CRLF");
    if (Result<void> ok = read_line(line, disposed, part); !ok) return ok.error();
  }
  if (!disposed) return refused("a part has no Content-Disposition");
  return part;
}

}  // namespace sluice::upstream
