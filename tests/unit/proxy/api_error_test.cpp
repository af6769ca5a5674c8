#include "firmware/proxy/api_error.h"

#include <doctest/doctest.h>

#include "firmware/ports/json.h"
#include "tests/script/client.h"
#include "tests/script/sim_time.h"

namespace sluice::proxy {

namespace {

ApiError plain(int status, std::string type, std::string code, std::string message) {
  return {status, std::move(type), std::move(code), std::move(message), {}, true};
}

struct Told {
  explicit Told(const ApiError& error, std::string_view request_id = "") {
    send_error(client, error, request_id);
  }
  std::string field(std::string_view name) const { return std::string(client.fields.get(name)); }
  script::SimClock clock;
  script::SimTimers timers{clock};
  std::string trace;
  script::Client client{clock, timers, trace, 0};
};

}  // namespace

TEST_CASE("api error: the body has the shape that OpenAI clients read") {
  const ApiError error =
      plain(404, "invalid_request_error", "model_not_found", "no \"such\"\nmodel");
  const auto body = ports::parse_json(error_body(error));
  REQUIRE(body.has_value());
  REQUIRE(body->as_object()->size() == 1);
  const ports::JsonValue* inner = body->find("error");
  REQUIRE(inner != nullptr);
  CHECK(inner->text("message") == "no \"such\"\nmodel");
  CHECK(inner->text("type") == "invalid_request_error");
  CHECK(inner->text("code") == "model_not_found");
  REQUIRE(inner->find("param") != nullptr);
  CHECK(inner->find("param")->is_null());
}

TEST_CASE("api error: no code is null") {
  const auto body = ports::parse_json(error_body(plain(500, "server_error", "", "broken")));
  REQUIRE(body.has_value());
  CHECK(body->find("error")->find("code")->is_null());
}

TEST_CASE("api error: in a stream it is one event with the same body") {
  const ApiError error = plain(502, "server_error", "node_failed", "two\nlines");
  CHECK(error_event(error, upstream::Dialect::chat, 3) == "data: " + error_body(error) + "\n\n");
  CHECK(error_body(error).find('\n') == std::string::npos);
}

TEST_CASE("api error: it is a whole answer with its length and the request's id") {
  const ApiError error = plain(503, "server_error", "queue_full", "full");
  const Told told(error, "req-1");
  CHECK(told.client.fault.empty());
  CHECK(told.client.ended);
  CHECK(told.client.status == 503);
  CHECK(told.client.body == error_body(error));
  CHECK(told.field("content-type") == "application/json");
  CHECK(told.field("x-request-id") == "req-1");
  CHECK(told.client.fields.find("retry-after") == nullptr);
  CHECK(told.client.fields.find("x-should-retry") == nullptr);
}

TEST_CASE("api error: retry-after is told in whole seconds, rounded up, at least one") {
  const auto told = [](Duration wait) {
    return Told({429, "rate_limit_error", "", "later", wait, true}).field("retry-after");
  };
  CHECK(told(Duration()) == "1");
  CHECK(told(Duration::us(1)) == "1");
  CHECK(told(Duration::seconds(1)) == "1");
  CHECK(told(Duration::us(1'000'001)) == "2");
  CHECK(told(Duration::ms(1500)) == "2");
  CHECK(told(Duration::seconds(60)) == "60");
}

TEST_CASE("api error: what cannot be helped by trying again says so") {
  CHECK(Told({400, "", "", "", {}, false}).field("x-should-retry") == "false");
}

TEST_CASE("api error: 401 names the way to authenticate") {
  CHECK(Told(plain(401, "", "", "")).field("www-authenticate") == "Bearer");
  CHECK(Told(plain(403, "", "", "")).field("www-authenticate").empty());
}

TEST_CASE("api error: Anthropic's clients read their own shape, and 529 where we say 503") {
  ApiError error{503, "server_error", "no_node", "nobody is there", {}, true};
  CHECK(error_body(error, ErrorShape::anthropic) ==
        R"({"type":"error","error":{"type":"overloaded_error","message":"nobody is there"}})");
  CHECK(status_of(error, ErrorShape::anthropic) == 529);
  CHECK(status_of(error, ErrorShape::openai) == 503);
  const std::pair<int, const char*> types[] = {{400, "invalid_request_error"},
                                               {401, "authentication_error"},
                                               {403, "permission_error"},
                                               {404, "not_found_error"},
                                               {413, "request_too_large"},
                                               {429, "rate_limit_error"},
                                               {502, "api_error"},
                                               {504, "timeout_error"},
                                               {405, "invalid_request_error"}};
  for (const auto& [status, type] : types) {
    error.status = status;
    CHECK(status_of(error, ErrorShape::anthropic) == status);
    CHECK(error_body(error, ErrorShape::anthropic).find(type) != std::string::npos);
  }
  CHECK(shape_at("/v1/messages") == ErrorShape::anthropic);
  CHECK(shape_at("/v1/messages/count_tokens") == ErrorShape::anthropic);
  CHECK(shape_at("/v1/messagesque") == ErrorShape::openai);
}

TEST_CASE("api error: within a stream it has the form of the stream's dialect") {
  const ApiError error{502, "server_error", "stream_truncated", "cut", {}, true};
  CHECK(error_event(error, upstream::Dialect::messages, 4) ==
        "event: error\ndata: " + error_body(error, ErrorShape::anthropic) + "\n\n");
  const std::string event = error_event(error, upstream::Dialect::responses, 4);
  CHECK(event.starts_with("event: error\ndata: {\"type\":\"error\",\"sequence_number\":4,"));
  CHECK(event.find("\"message\":\"cut\",\"param\":null") != std::string::npos);
  CHECK(event.ends_with("\n\n"));
}

}  // namespace sluice::proxy
