// Errors to API clients, in the shape OpenAI clients know:
// {"error":{"message":...,"type":...,"param":...,"code":...}}.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/time.h"
#include "firmware/ports/http_service.h"

namespace sluice::proxy {

struct ApiError {
  int status = 500;
  std::string type;  // invalid_request_error, authentication_error, rate_limit_error, server_error
  std::string code;  // short, for programs; empty = null
  std::string message;                  // what happened, what it means, what to do
  std::optional<Duration> retry_after;  // told in whole seconds, at least 1
  bool may_retry = true;  // false: x-should-retry: false (we tried already, or it cannot help)
};

std::string error_body(const ApiError& error);
std::string error_event(const ApiError& error);  // for a stream whose head is out

// A whole answer. `request_id` may be empty.
void send_error(ports::HttpAnswer& answer, const ApiError& error, std::string_view request_id);
void send_json(ports::HttpAnswer& answer, int status, std::string_view json);
void send_text(ports::HttpAnswer& answer, int status, std::string_view type, std::string_view text);

}  // namespace sluice::proxy
