#include "tests/testbed/answer_wire.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace sluice::testbed {

namespace {

using nlohmann::json;

std::string_view messages_error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

}  // namespace

std::unique_ptr<AnswerWire> make_wire(AnswerFacts facts) {
  switch (facts.request.dialect) {
    case Dialect::responses:
      return make_responses_wire(std::move(facts));
    case Dialect::messages:
      return make_messages_wire(std::move(facts));
    case Dialect::transcript:
      return make_transcript_wire(std::move(facts));
    case Dialect::chat:
    case Dialect::text:
      break;
  }
  return make_chat_wire(std::move(facts));
}

std::string error_body(int status, std::string_view type, std::string_view message) {
  const json error = {{"message", message}, {"type", type}, {"param", nullptr}, {"code", status}};
  return json{{"error", error}}.dump();
}

std::string messages_error_body(int status, std::string_view message) {
  const json error = {{"type", messages_error_type(status)}, {"message", message}};
  return json{{"type", "error"}, {"error", error}}.dump();
}

std::string event_of(std::string_view name, std::string_view data) {
  if (name.empty()) return fmt::format("data: {}\n\n", data);
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

}  // namespace sluice::testbed
