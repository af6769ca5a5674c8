#include "firmware/proxy/api_front.h"

#include <fmt/format.h>

#include "firmware/ports/json.h"
#include "firmware/proxy/exchange.h"
#include "firmware/proxy/request_ask.h"
#include "firmware/proxy/unserved_paths.h"

namespace sluice::proxy {

using ports::JsonValue;

namespace {

constexpr std::string_view kOneModel = "/v1/models/";

// An exchange that was answered when its head was read.
class Answered : public ports::HttpActivity {
 public:
  void on_body(std::string_view) override {}
  void on_body_end() override {}
  void on_client_gone() override {}
  void on_drained() override {}
};

// `part` of a path, with what is escaped in it (RFC 3986, section 2.1), is `name`.
bool says(std::string_view part, std::string_view name) {
  constexpr std::string_view kHex = "0123456789abcdef";
  size_t at = 0;
  for (const char wanted : name) {
    if (at >= part.size()) return false;
    const auto byte = static_cast<unsigned char>(wanted);
    const bool escaped = part[at] == '%' && part.size() - at >= 3 &&
                         (part[at + 1] | 0x20) == (kHex[byte >> 4] | 0x20) &&
                         (part[at + 2] | 0x20) == (kHex[byte & 15] | 0x20);
    if (!escaped && part[at] != wanted) return false;
    at += escaped ? 3 : 1;
  }
  return at == part.size();
}

ApiError wrong_method(std::string_view path, std::string_view methods) {
  ApiError error{405,
                 "invalid_request_error",
                 "method_not_allowed",
                 fmt::format("{} answers {} only", path, methods),
                 {},
                 false};
  error.allow = methods;
  return error;
}

ApiError unknown_path() {
  std::string known;
  for (const upstream::EndpointFacts& facts : upstream::all_endpoints()) {
    known += std::string_view(facts.path).substr(4);
    known += ", ";
  }
  return {404,
          "invalid_request_error",
          "unknown_path",
          fmt::format("there is no such path here; the API is under /v1: {}models", known),
          {},
          false};
}

bool is_read(std::string_view method) { return method == "GET" || method == "HEAD"; }

}  // namespace

std::unique_ptr<ports::HttpActivity> ApiFront::refuse(ports::HttpAnswer& answer,
                                                      const ApiError& error, ErrorShape shape) {
  send_error(answer, error, request_id(world_.random.next() >> 1), shape);
  return std::make_unique<Answered>();
}

std::unique_ptr<ports::HttpActivity> ApiFront::open(const ports::HttpRequestHead& head,
                                                    const ports::HttpPeer& peer,
                                                    ports::HttpAnswer& answer) {
  const std::string_view path = head.path();
  if (const std::optional<upstream::Endpoint> endpoint = upstream::endpoint_at(path)) {
    if (head.method == "POST") return open_exchange(head, *endpoint, answer);
    return refuse(answer, wrong_method(path, "POST"), shape_at(path));
  }
  const bool is_model = path.starts_with(kOneModel) && path.size() > kOneModel.size();
  const bool known = is_model || path == "/v1/models" || path == "/healthz" || path == "/readyz" ||
                     path == "/metrics";
  if (!known) return refuse(answer, unserved(path).value_or(unknown_path()), shape_at(path));
  if (!is_read(head.method)) return refuse(answer, wrong_method(path, "GET, HEAD"));
  if (path == "/metrics") return metrics_.open(head, peer, answer);
  if (is_model || path == "/v1/models") {
    answer_models(head, is_model ? path.substr(kOneModel.size()) : "", answer);
  } else if (path == "/healthz") {
    send_text(answer, 200, "text/plain", "ok\n");
  } else {
    answer_ready(answer);
  }
  return std::make_unique<Answered>();
}

std::unique_ptr<ports::HttpActivity> ApiFront::open_exchange(const ports::HttpRequestHead& head,
                                                             upstream::Endpoint endpoint,
                                                             ports::HttpAnswer& answer) {
  Admitted admitted = admit(head, world_.keys, world_.policy.admission);
  const ErrorShape shape = shape_of(endpoint);
  if (const auto* error = std::get_if<ApiError>(&admitted)) return refuse(answer, *error, shape);
  Tenant tenant = std::get<Tenant>(std::move(admitted));
  const uint64_t body_max = static_cast<uint64_t>(world_.bodies.bounds().body_max.count);
  if (head.content_length && *head.content_length > body_max) {
    return refuse(answer,
                  {413,
                   "invalid_request_error",
                   "request_too_large",
                   fmt::format("the request's body has {} bytes; the limit of this box is {}",
                               *head.content_length, body_max),
                   {},
                   false},
                  shape);
  }
  const auto refusal = world_.limits.enter(tenant.key, tenant.limits, world_.clock.now());
  if (refusal) return refuse(answer, limit_error(*refusal, tenant.limits), shape);
  return std::make_unique<Exchange>(world_, std::move(tenant), head, endpoint, answer);
}

std::optional<std::string> ApiFront::place_of(const std::string& model,
                                              const Tenant& tenant) const {
  if (!tenant.may_use_model(model)) return std::nullopt;
  const valve::NodeSet serving = world_.senses.serving(model);
  bool allowed = false;
  for (const auto& [node, access] : world_.nodes) {
    if (!serving.has(node) || !govern::may_go(tenant.data_class, access.data)) continue;
    if (!access.data.is_cloud) return "local";
    allowed = true;
  }
  return allowed ? std::optional<std::string>("cloud") : std::nullopt;
}

void ApiFront::answer_models(const ports::HttpRequestHead& head, std::string_view one,
                             ports::HttpAnswer& answer) {
  const Admitted admitted = admit(head, world_.keys, world_.policy.admission);
  if (const auto* error = std::get_if<ApiError>(&admitted)) {
    return send_error(answer, *error, request_id(world_.random.next() >> 1));
  }
  const Tenant& tenant = std::get<Tenant>(admitted);
  JsonValue list = JsonValue::array();
  for (const std::string& model : world_.senses.models()) {
    const std::optional<std::string> place = place_of(model, tenant);
    if (!place) continue;
    JsonValue told = JsonValue::object({{"id", model},
                                        {"object", "model"},
                                        {"created", 0},
                                        {"owned_by", "sluice"},
                                        {"sluice_place", *place}});
    if (says(one, model)) return send_json(answer, 200, ports::to_json(told));
    list.push(std::move(told));
  }
  if (!one.empty()) {
    return send_error(answer, no_such_model(std::string(one)),
                      request_id(world_.random.next() >> 1));
  }
  send_json(answer, 200,
            ports::to_json(JsonValue::object({{"object", "list"}, {"data", std::move(list)}})));
}

void ApiFront::answer_ready(ports::HttpAnswer& answer) {
  for (const sense::NodeReport& node : world_.senses.reports(world_.clock.now())) {
    const bool usable =
        node.enabled && node.health != valve::Health::down && node.health != valve::Health::unknown;
    if (usable) return send_text(answer, 200, "text/plain", "ready\n");
  }
  send_text(answer, 503, "text/plain", "not ready: no node answers\n");
}

}  // namespace sluice::proxy
