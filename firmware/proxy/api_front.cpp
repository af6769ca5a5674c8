#include "firmware/proxy/api_front.h"

#include <fmt/format.h>

#include "firmware/ports/json.h"
#include "firmware/proxy/exchange.h"
#include "firmware/proxy/unserved_paths.h"

namespace sluice::proxy {

using ports::JsonValue;

namespace {

// An exchange that was answered when its head was read.
class Answered : public ports::HttpActivity {
 public:
  void on_body(std::string_view) override {}
  void on_body_end() override {}
  void on_client_gone() override {}
  void on_drained() override {}
};

std::unique_ptr<ports::HttpActivity> refuse(ports::HttpAnswer& answer, const ApiError& error,
                                            ErrorShape shape = ErrorShape::openai) {
  send_error(answer, error, "", shape);
  return std::make_unique<Answered>();
}

ApiError wrong_method(std::string_view path, std::string_view method) {
  return {405,
          "invalid_request_error",
          "method_not_allowed",
          fmt::format("{} answers {} only", path, method),
          {},
          false};
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

std::unique_ptr<ports::HttpActivity> ApiFront::open(const ports::HttpRequestHead& head,
                                                    const ports::HttpPeer& peer,
                                                    ports::HttpAnswer& answer) {
  const std::string_view path = head.path();
  if (const std::optional<upstream::Endpoint> endpoint = upstream::endpoint_at(path)) {
    if (head.method == "POST") return open_exchange(head, *endpoint, answer);
    return refuse(answer, wrong_method(path, "POST"), shape_at(path));
  }
  const bool known =
      path == "/v1/models" || path == "/healthz" || path == "/readyz" || path == "/metrics";
  if (!known) return refuse(answer, unserved(path).value_or(unknown_path()), shape_at(path));
  if (!is_read(head.method)) return refuse(answer, wrong_method(path, "GET"));
  if (path == "/metrics") return metrics_.open(head, peer, answer);
  if (path == "/v1/models") {
    answer_models(head, answer);
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

void ApiFront::answer_models(const ports::HttpRequestHead& head, ports::HttpAnswer& answer) {
  const Admitted admitted = admit(head, world_.keys, world_.policy.admission);
  if (const auto* error = std::get_if<ApiError>(&admitted)) return send_error(answer, *error, "");
  const Tenant& tenant = std::get<Tenant>(admitted);
  JsonValue list = JsonValue::array();
  for (const std::string& model : world_.senses.models()) {
    if (!tenant.may_use_model(model)) continue;
    bool allowed = false;
    bool local = false;
    const valve::NodeSet serving = world_.senses.serving(model);
    for (const auto& [node, access] : world_.nodes) {
      if (!serving.has(node) || !govern::may_go(tenant.data_class, access.data)) continue;
      allowed = true;
      local = local || !access.data.is_cloud;
    }
    if (!allowed) continue;
    list.push(JsonValue::object({{"id", model},
                                 {"object", "model"},
                                 {"created", 0},
                                 {"owned_by", "sluice"},
                                 {"sluice_place", local ? "local" : "cloud"}}));
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
