#include "drivers/http1/field_rules.h"

#include "drivers/http1/octets.h"
#include "firmware/base/text.h"

namespace sluice::drivers {

namespace {

constexpr uint64_t kLengthMax = INT64_MAX;

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  int port = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    port = port * 10 + (c - '0');
  }
  return port <= 65535;
}

// uri-host [ ":" port ] without percent escapes and user info.
bool is_host(std::string_view text) {
  size_t end = 0;
  if (!text.empty() && text.front() == '[') {
    end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (char c : text.substr(1, end - 1)) {
      if (!is_octet(c, kHexOctet) && c != ':' && c != '.') return false;
    }
    ++end;
  } else {
    end = text.find(':');
    if (end == std::string_view::npos) end = text.size();
    if (!all_octets(text.substr(0, end), kHostOctet)) return false;
  }
  return end == text.size() || (text[end] == ':' && is_port(text.substr(end + 1)));
}

std::optional<uint64_t> to_length(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t length = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (length > (kLengthMax - digit) / 10) return std::nullopt;
    length = length * 10 + digit;
  }
  return length;
}

// A list of codings that is well formed but not ours, e.g. `gzip, chunked`: chunked at most once,
// and last.
bool is_foreign_coding_list(std::string_view value) {
  bool after_chunked = false;
  for (std::string_view coding : split(value, ',')) {
    coding = trim_blanks(coding);
    if (after_chunked || !all_octets(coding, kTokenOctet)) return false;
    after_chunked = equal_ignoring_case(coding, "chunked");
  }
  return true;
}

}  // namespace

std::optional<std::string_view> field_name(std::string_view line) {
  size_t size = 0;
  while (size < line.size() && is_octet(line[size], kTokenOctet)) ++size;
  if (size == 0 || size == line.size() || line[size] != ':') return std::nullopt;
  return line.substr(0, size);
}

std::optional<HeadFault> FieldRules::take(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {
    return HeadFault{400, "a folded line, or a blank before a field"};
  }
  const auto name = field_name(line);
  if (!name) return HeadFault{400, "a field line is not a name, a colon and a value"};
  ++facts_.fields;
  const auto value = [&] { return trim_blanks(line.substr(name->size() + 1)); };
  switch (name->size()) {
    case 4:
      if (equal_ignoring_case(*name, "host")) return take_host(value());
      break;
    case 6:
      if (equal_ignoring_case(*name, "expect")) take_expect(value());
      break;
    case 10:
      if (equal_ignoring_case(*name, "connection")) take_connection(value());
      break;
    case 14:
      if (equal_ignoring_case(*name, "content-length")) return take_content_length(value());
      break;
    case 17:
      if (equal_ignoring_case(*name, "transfer-encoding")) return take_transfer_encoding(value());
      break;
    default:
      break;
  }
  return std::nullopt;
}

std::optional<HeadFault> FieldRules::take_host(std::string_view value) {
  if (side_ == Side::response) return std::nullopt;
  if (facts_.has_host) return HeadFault{400, "Host is given twice"};
  if (!is_host(value)) return HeadFault{400, "Host is not a name or address with a port"};
  facts_.has_host = true;
  return std::nullopt;
}

std::optional<HeadFault> FieldRules::take_content_length(std::string_view value) {
  if (facts_.content_length) return HeadFault{400, "Content-Length is given twice"};
  facts_.content_length = to_length(value);
  if (!facts_.content_length) return HeadFault{400, "Content-Length is not one possible number"};
  return std::nullopt;
}

std::optional<HeadFault> FieldRules::take_transfer_encoding(std::string_view value) {
  if (facts_.has_transfer_encoding) return HeadFault{400, "Transfer-Encoding is given twice"};
  facts_.has_transfer_encoding = true;
  if (equal_ignoring_case(value, "chunked")) return std::nullopt;
  if (is_foreign_coding_list(value)) return HeadFault{501, "the transfer coding is not supported"};
  return HeadFault{400, "Transfer-Encoding is not `chunked`"};
}

void FieldRules::take_connection(std::string_view value) {
  for (std::string_view option : split(value, ',')) {
    option = trim_blanks(option);
    if (equal_ignoring_case(option, "close")) facts_.says_close = true;
    if (equal_ignoring_case(option, "keep-alive")) facts_.says_keep_alive = true;
  }
}

void FieldRules::take_expect(std::string_view value) {
  if (equal_ignoring_case(value, "100-continue")) {
    facts_.expects_continue = true;
  } else {
    facts_.expects_else = true;
  }
}

std::optional<HeadFault> FieldRules::check_framing(int minor_version) const {
  if (!facts_.has_transfer_encoding) return std::nullopt;
  if (minor_version == 0) return HeadFault{400, "Transfer-Encoding in HTTP/1.0"};
  if (facts_.content_length) return HeadFault{400, "Content-Length beside Transfer-Encoding"};
  return std::nullopt;
}

std::optional<HeadFault> FieldRules::finish_request(int minor_version) const {
  if (const auto fault = check_framing(minor_version)) return fault;
  if (minor_version == 0) return std::nullopt;
  if (!facts_.has_host) return HeadFault{400, "Host is missing"};
  if (facts_.expects_else) return HeadFault{417, "only 100-continue may be expected"};
  return std::nullopt;
}

std::optional<HeadFault> FieldRules::finish_response(int minor_version, int status) const {
  if (const auto fault = check_framing(minor_version)) return fault;
  if (status == 101) return HeadFault{400, "a change of protocol that nobody asked for"};
  const bool has_length = facts_.content_length && *facts_.content_length > 0;
  if ((status < 200 || status == 204) && (facts_.has_transfer_encoding || has_length)) {
    return HeadFault{400, "a body where none may be"};
  }
  return std::nullopt;
}

bool FieldRules::keeps_alive(int minor_version) const {
  return !facts_.says_close && (minor_version > 0 || facts_.says_keep_alive);
}

}  // namespace sluice::drivers
