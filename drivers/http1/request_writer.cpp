#include "drivers/http1/request_writer.h"

#include <charconv>

#include "drivers/http1/octets.h"

namespace sluice::drivers {

namespace {

bool fits_line(std::string_view text) { return find_control(text, 0) == text.size(); }

bool fits_start_line(std::string_view text) {
  return !text.empty() && fits_line(text) && text.find_first_of(" \t") == std::string_view::npos;
}

bool is_ours(std::string_view name) {
  switch (name.size()) {
    case 4:
      return equal_ignoring_case(name, "host");
    case 10:
      return equal_ignoring_case(name, "connection");
    case 14:
      return equal_ignoring_case(name, "content-length");
    case 17:
      return equal_ignoring_case(name, "transfer-encoding");
    default:
      return false;
  }
}

Error refused(std::string text) { return {ErrorKind::refused, "http1", std::move(text)}; }

bool states_length(const ports::HttpCallSpec& spec) {
  return spec.body != nullptr || spec.method == "POST" || spec.method == "PUT" ||
         spec.method == "PATCH";
}

}  // namespace

std::optional<Error> check_call(const ports::HttpCallSpec& spec) {
  if (spec.origin.tls) {
    return Error{ErrorKind::unsupported, "http1",
                 "https was asked of the client that speaks plain HTTP only"};
  }
  if (!all_octets(spec.method, kTokenOctet)) return refused("the method is not a token");
  if (!fits_start_line(spec.target)) return refused("the target would break the request line");
  if (!fits_start_line(spec.origin.authority)) return refused("the authority is not a Host value");
  for (const ports::HttpField& field : spec.fields) {
    if (!all_octets(field.name, kTokenOctet) || !fits_line(field.value)) {
      return refused("a field would break its line");
    }
    if (is_ours(field.name)) return refused("the caller set " + field.name + ", which is ours");
  }
  return std::nullopt;
}

void append_request_head(const ports::HttpCallSpec& spec, std::string* out) {
  out->append(spec.method).append(" ").append(spec.target).append(" HTTP/1.1\r\nHost: ");
  out->append(spec.origin.authority).append("\r\n");
  for (const ports::HttpField& field : spec.fields) {
    out->append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (states_length(spec)) {
    char digits[24];
    const uint64_t length = spec.body == nullptr ? 0 : spec.body->size();
    const auto [end, failure] = std::to_chars(digits, digits + sizeof(digits), length);
    ENSURE(failure == std::errc());
    out->append("Content-Length: ").append(digits, end).append("\r\n");
  }
  out->append("\r\n");
}

}  // namespace sluice::drivers
