#include "firmware/web/answers.h"

#include "firmware/ports/json.h"

namespace sluice::web {

using ports::HttpAnswer;
using ports::HttpFields;
using ports::JsonValue;

namespace {

constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

void send_whole(HttpAnswer& answer, int status, const HttpFields& fields, std::string_view body) {
  answer.send_head(status, fields, body.size());
  answer.send_body(body);
  answer.end();
}

}  // namespace

HttpFields answer_fields(std::string_view content_type, std::string_view cache_control) {
  HttpFields fields;
  fields.add("content-type", content_type);
  fields.add("cache-control", cache_control);
  fields.add("content-security-policy", kContentPolicy);
  fields.add("x-content-type-options", "nosniff");
  fields.add("referrer-policy", "no-referrer");
  fields.add("cross-origin-resource-policy", "same-origin");
  return fields;
}

void send_text(HttpAnswer& answer, int status, std::string_view content_type,
               std::string_view text) {
  send_whole(answer, status, answer_fields(content_type, "no-store"), text);
}

void send_refusal(HttpAnswer& answer, const Refusal& refusal) {
  HttpFields fields = answer_fields(kJsonType, "no-store");
  if (refusal.status == 401) fields.add("www-authenticate", "Bearer");
  if (!refusal.allow.empty()) fields.add("allow", refusal.allow);
  const JsonValue error = JsonValue::object({{"message", refusal.message}});
  send_whole(answer, refusal.status, fields, ports::to_json(JsonValue::object({{"error", error}})));
}

void send_error(HttpAnswer& answer, const Error& error) {
  send_refusal(answer, {status_of(error.kind), error.text, ""});
}

void send_file(HttpAnswer& answer, const PageFile& file, const HttpFields& asked) {
  HttpFields fields = answer_fields(file.type, "no-cache");
  fields.add("etag", file.etag);
  if (asked.get("if-none-match").find(file.etag) == std::string_view::npos) {
    return send_whole(answer, 200, fields, file.bytes);
  }
  // The length told is that of the file, though a 304 carries no body (RFC 9110 section 8.6).
  answer.send_head(304, fields, file.bytes.size());
  answer.end();
}

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::refused:
      return 400;
    case ErrorKind::gone:
      return 404;
    case ErrorKind::busy:
      return 503;
    case ErrorKind::unsupported:
      return 501;
    case ErrorKind::broken:
      break;
  }
  return 500;
}

}  // namespace sluice::web
