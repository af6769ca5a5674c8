// Errors to API clients, in the shape that the clients of the endpoint know.
// OpenAI: {"error":{"message":...,"type":...,"param":...,"code":...}}.
// Anthropic (https://docs.claude.com, API errors):
// {"type":"error","error":{"type":...,"message":...},"request_id":...}; its types follow from the
// status, and "come back later" (503 here) is its 529, overloaded_error.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/time.h"
#include "firmware/ports/http_service.h"
#include "firmware/upstream/endpoint.h"

namespace sluice::proxy {

struct ApiError {
  int status = 500;
  std::string type;  // invalid_request_error, authentication_error, rate_limit_error, server_error
  std::string code;  // short, for programs; empty = null
  std::string message;                  // what happened, what it means, what to do
  std::optional<Duration> retry_after;  // told in whole seconds, at least 1
  bool may_retry = true;   // false: x-should-retry: false (we tried already, or it cannot help)
  std::string allow = {};  // with 405: the methods that are answered
};

std::string request_id(uint64_t number);  // as clients are told it

enum class ErrorShape { openai, anthropic };

ErrorShape shape_of(upstream::Endpoint endpoint);
ErrorShape shape_at(std::string_view path);  // of any path, served or not

int status_of(const ApiError& error, ErrorShape shape);
std::string error_body(const ApiError& error, ErrorShape shape = ErrorShape::openai);
// For a stream whose head is out. `events_before`: how many events the client has had.
std::string error_event(const ApiError& error, upstream::Dialect dialect, int64_t events_before);

// A whole answer. `request_id` may be empty.
void send_error(ports::HttpAnswer& answer, const ApiError& error, std::string_view request_id,
                ErrorShape shape = ErrorShape::openai);
void send_json(ports::HttpAnswer& answer, int status, std::string_view json);
void send_text(ports::HttpAnswer& answer, int status, std::string_view type, std::string_view text);

}  // namespace sluice::proxy
