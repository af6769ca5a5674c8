#include "firmware/proxy/api_error.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/ports/json.h"
#include "firmware/upstream/messages_answer.h"

namespace sluice::proxy {

using ports::HttpFields;
using ports::JsonValue;

namespace {

JsonValue anthropic_error(const ApiError& error) {
  const int status = status_of(error, ErrorShape::anthropic);
  const JsonValue inner = JsonValue::object(
      {{"type", upstream::message_error_type(status)}, {"message", error.message}});
  return JsonValue::object({{"type", "error"}, {"error", inner}});
}

JsonValue openai_error(const ApiError& error) {
  JsonValue inner = JsonValue::object({{"message", error.message}, {"type", error.type}});
  inner.add("param", JsonValue());
  inner.add("code", error.code.empty() ? JsonValue() : JsonValue(error.code));
  return inner;
}

// The error is told twice: OpenAI's event has it flat, and some clients look for it as in a body.
JsonValue response_error(const ApiError& error, int64_t events_before) {
  JsonValue event = JsonValue::object({{"type", "error"}, {"sequence_number", events_before}});
  event.add("code", error.code.empty() ? JsonValue() : JsonValue(error.code));
  event.add("message", error.message);
  event.add("param", JsonValue());
  event.add("error", openai_error(error));
  return event;
}

}  // namespace

ErrorShape shape_of(upstream::Endpoint endpoint) { return shape_at(upstream::path_of(endpoint)); }

ErrorShape shape_at(std::string_view path) {
  constexpr std::string_view kMessages = "/v1/messages";
  const bool within = path.starts_with(kMessages) &&
                      (path.size() == kMessages.size() || path[kMessages.size()] == '/');
  return within ? ErrorShape::anthropic : ErrorShape::openai;
}

int status_of(const ApiError& error, ErrorShape shape) {
  return shape == ErrorShape::anthropic ? upstream::message_error_status(error.status)
                                        : error.status;
}

std::string error_body(const ApiError& error, ErrorShape shape) {
  if (shape == ErrorShape::anthropic) return ports::to_json(anthropic_error(error));
  return ports::to_json(JsonValue::object({{"error", openai_error(error)}}));
}

std::string error_event(const ApiError& error, upstream::Dialect dialect, int64_t events_before) {
  switch (dialect) {
    case upstream::Dialect::messages:
      return "event: error\ndata: " + error_body(error, ErrorShape::anthropic) + "\n\n";
    case upstream::Dialect::responses:
      return "event: error\ndata: " + ports::to_json(response_error(error, events_before)) + "\n\n";
    case upstream::Dialect::chat:
    case upstream::Dialect::plain:
      break;
  }
  return "data: " + error_body(error) + "\n\n";
}

std::string request_id(uint64_t number) { return fmt::format("req-{:016x}", number); }

void send_error(ports::HttpAnswer& answer, const ApiError& error, std::string_view request_id,
                ErrorShape shape) {
  const std::string body = error_body(error, shape);
  HttpFields fields;
  fields.add("content-type", "application/json");
  if (error.status == 401) fields.add("www-authenticate", "Bearer");
  if (!error.allow.empty()) fields.add("allow", error.allow);
  if (error.retry_after) {
    const int64_t seconds =
        std::max<int64_t>(1, (error.retry_after->as_us() + 999'999) / 1'000'000);
    fields.add("retry-after", std::to_string(seconds));
  }
  if (!error.may_retry) fields.add("x-should-retry", "false");
  if (!request_id.empty()) {
    fields.add("x-request-id", request_id);
    if (shape == ErrorShape::anthropic) fields.add("request-id", request_id);
  }
  answer.send_head(status_of(error, shape), fields, body.size());
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
