#include "firmware/proxy/api_error.h"

#include <algorithm>

#include "firmware/ports/json.h"

namespace sluice::proxy {

using ports::HttpFields;
using ports::JsonValue;

std::string error_body(const ApiError& error) {
  JsonValue inner = JsonValue::object({{"message", error.message}, {"type", error.type}});
  inner.add("param", JsonValue());
  inner.add("code", error.code.empty() ? JsonValue() : JsonValue(error.code));
  return ports::to_json(JsonValue::object({{"error", inner}}));
}

std::string error_event(const ApiError& error) { return "data: " + error_body(error) + "\n\n"; }

void send_error(ports::HttpAnswer& answer, const ApiError& error, std::string_view request_id) {
  const std::string body = error_body(error);
  HttpFields fields;
  fields.add("content-type", "application/json");
  if (error.status == 401) fields.add("www-authenticate", "Bearer");
  if (error.retry_after) {
    const int64_t seconds =
        std::max<int64_t>(1, (error.retry_after->as_us() + 999'999) / 1'000'000);
    fields.add("retry-after", std::to_string(seconds));
  }
  if (!error.may_retry) fields.add("x-should-retry", "false");
  if (!request_id.empty()) fields.add("x-request-id", request_id);
  answer.send_head(error.status, fields, body.size());
  answer.send_body(body);
  answer.end();
}

void send_text(ports::HttpAnswer& answer, int status, std::string_view type,
               std::string_view text) {
  HttpFields fields;
  fields.add("content-type", type);
  fields.add("cache-control", "no-store");
  answer.send_head(status, fields, text.size());
  answer.send_body(text);
  answer.end();
}

void send_json(ports::HttpAnswer& answer, int status, std::string_view json) {
  send_text(answer, status, "application/json", json);
}

}  // namespace sluice::proxy
