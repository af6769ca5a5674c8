#include "drivers/http1/start_line.h"

#include "drivers/http1/octets.h"

namespace sluice::drivers {

namespace {

constexpr size_t kVersionSize = 8;  // HTTP/1.1

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<HeadFault> check_version(std::string_view version, int* minor_version) {
  if (version.size() != kVersionSize || version.substr(0, 5) != "HTTP/" || !is_digit(version[5]) ||
      version[6] != '.' || !is_digit(version[7])) {
    return HeadFault{400, "the start line has no HTTP version"};
  }
  if (version[5] != '1' || version[7] > '1') {
    return HeadFault{505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  }
  *minor_version = version[7] - '0';
  return std::nullopt;
}

// Reads a path octet by octet as whoever decodes it later would.
class PathReader {
 public:
  // False: the path is not to be passed on.
  bool take(unsigned char octet) {
    if (octet < 0x20 || octet == 0x7f) return false;
    if (octet == 0xc0 || octet == 0xc1 || octet > 0xf4) return false;  // never in UTF-8
    if (previous_ == 0xe0 && octet < 0xa0) return false;               // overlong
    if (previous_ == 0xf0 && octet < 0x90) return false;
    previous_ = octet;
    if (octet == '/' || octet == '\\') return end_segment();
    ++segment_size_;
    if (octet == '.') ++segment_dots_;
    return true;
  }
  bool end_segment() {
    const bool is_dots = segment_size_ == segment_dots_ && segment_dots_ >= 1 && segment_dots_ <= 2;
    segment_size_ = 0;
    segment_dots_ = 0;
    return !is_dots;
  }

 private:
  unsigned char previous_ = 0;
  size_t segment_size_ = 0;
  size_t segment_dots_ = 0;
};

bool is_safe_after_decoding(std::string_view target) {
  PathReader path;
  bool in_path = true;
  for (size_t at = 0; at < target.size(); ++at) {
    unsigned char octet = static_cast<unsigned char>(target[at]);
    if (octet == '%') {
      if (at + 2 >= target.size() || !is_octet(target[at + 1], kHexOctet) ||
          !is_octet(target[at + 2], kHexOctet)) {
        return false;
      }
      octet =
          static_cast<unsigned char>(hex_digit(target[at + 1]) * 16 + hex_digit(target[at + 2]));
      at += 2;
      if (octet == 0) return false;
    } else if (octet == '?' && in_path) {
      in_path = false;
      if (!path.end_segment()) return false;
    }
    if (in_path && !path.take(octet)) return false;
  }
  return !in_path || path.end_segment();
}

}  // namespace

bool is_safe_target(std::string_view target) {
  if (target.empty() || target.front() != '/') return false;
  bool look_again = false;
  char previous = 0;
  for (char c : target) {
    if (!is_octet(c, kTargetOctet)) return false;
    if (c == '%' || (c == '.' && previous == '/')) look_again = true;
    previous = c;
  }
  return !look_again || is_safe_after_decoding(target);
}

std::optional<HeadFault> check_request_line(std::string_view line, int* minor_version) {
  if (line.empty()) return HeadFault{400, "an empty line where a request begins"};
  const size_t method_end = line.find(' ');
  if (method_end == std::string_view::npos) return HeadFault{400, "the request line has no target"};
  const std::string_view method = line.substr(0, method_end);
  if (!all_octets(method, kMethodOctet)) return HeadFault{400, "not a method"};
  if (method.size() > kMethodMax) return HeadFault{501, "the method is not known"};
  const std::string_view rest = line.substr(method_end + 1);
  const size_t target_end = rest.find(' ');
  if (target_end == std::string_view::npos) {
    return HeadFault{400, "the request line has no HTTP version"};
  }
  const std::string_view target = rest.substr(0, target_end);
  if (const auto fault = check_version(rest.substr(target_end + 1), minor_version)) return fault;
  if (target == "*" && method == "OPTIONS") return std::nullopt;
  if (!is_safe_target(target)) return HeadFault{400, "the target is not a plain path and query"};
  return std::nullopt;
}

std::optional<HeadFault> check_status_line(std::string_view line, int* minor_version, int* status) {
  if (const auto fault = check_version(line.substr(0, kVersionSize), minor_version)) return fault;
  const std::string_view code = line.substr(kVersionSize);
  // " 200 " at least: the blank before an absent reason phrase is demanded too.
  if (code.size() < 5 || code[0] != ' ' || code[4] != ' ' || !is_digit(code[1]) ||
      !is_digit(code[2]) || !is_digit(code[3])) {
    return HeadFault{400, "not a status line"};
  }
  *status = (code[1] - '0') * 100 + (code[2] - '0') * 10 + (code[3] - '0');
  if (*status < 100 || *status > 599) return HeadFault{400, "a status outside 100 to 599"};
  return std::nullopt;
}

}  // namespace sluice::drivers
