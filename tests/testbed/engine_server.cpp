// The server's outside: connections, routes, refusals, control.
#include "tests/testbed/engine_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tests/testbed/plain_answers.h"

namespace sluice::testbed {

namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 529:
      return "Site Is Overloaded";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

EngineServer::EngineServer(Poller& poller, EngineOptions options)
    : poller_(poller),
      options_(std::move(options)),
      started_at_(std::time(nullptr)),
      model_(options_.cost),
      metrics_(options_.metrics, options_.models.front()),
      faults_(options_.seed),
      listener_(std::make_unique<ListeningSocket>(poller, *this)),
      control_(std::make_unique<ListeningSocket>(poller, *this)) {
  if (options_.slow_start_s <= 0) return;
  slow_start_ = true;
  apply_slowdown();
  poller_.call_at(poller_.now() + from_seconds(options_.slow_start_s), [this] {
    slow_start_ = false;
    apply_slowdown();
  });
}

EngineServer::~EngineServer() = default;

std::optional<std::string> EngineServer::listen(const std::string& address) {
  return listener_->open(address);
}

std::optional<std::string> EngineServer::listen_for_control(const std::string& address) {
  return control_->open(address);
}

void EngineServer::run_once() {
  poller_.run_once(model_.next_event());
  model_.advance(poller_.now());
  for (auto events = model_.take_events(); !events.empty(); events = model_.take_events()) {
    for (const EngineEvent& event : events) on_engine_event(event);
  }
  note_scene();
  gone_.clear();
}

void EngineServer::on_accept(int fd) {
  ++accepted_;
  auto connection = std::make_unique<ServerConnection>(poller_, fd, *this);
  ServerConnection* const key = connection.get();
  connections_.emplace(key, std::move(connection));
}

void EngineServer::on_gone(ServerConnection& connection) {
  const auto found = exchanges_.find(connection.exchange);
  if (found != exchanges_.end()) {
    model_.cancel(poller_.now(), found->first);
    metrics_.on_aborted();
    note_outcome("aborted");
    record(found->second, "aborted");
    exchanges_.erase(found);
  }
  late_pages_.erase(connection.exchange);
  const auto held = connections_.extract(&connection);
  if (!held.empty()) gone_.push_back(std::move(held.mapped()));
}

void EngineServer::on_request(ServerConnection& connection, HttpReader& request) {
  const std::string path = request.target().substr(0, request.target().find('?'));
  const bool guarded = path.starts_with("/v1/") && !options_.api_key.empty();
  const bool known = request.header("authorization") == "Bearer " + options_.api_key ||
                     request.header("x-api-key") == options_.api_key;
  if (guarded && !known) {
    if (request.method() == "POST") {
      ++received_;
      note_outcome("http_401");
    }
    if (path.starts_with("/v1/messages")) {
      return answer(connection, 401, messages_error_body(401, "invalid x-api-key"));
    }
    return answer(connection, 401, "{\"error\":\"Unauthorized\"}");
  }
  route(connection, request, path);
}

void EngineServer::route(ServerConnection& connection, HttpReader& request,
                         const std::string& path) {
  const bool post = request.method() == "POST";
  const EndpointEntry* const endpoint = endpoint_at(path);
  if (post && endpoint != nullptr && offers(*endpoint)) {
    return serve(connection, request, *endpoint);
  }
  if (path == "/testbed/faults" && post) return set_faults(connection, request);
  if (post) return answer_error(connection, 404, "NotFoundError", "Not Found");
  if (path == "/v1/models") {
    return answer(connection, 200,
                  models_body(options_.models, started_at_, options_.max_model_len));
  }
  if (path == "/health") {
    const bool says = options_.metrics == MetricsDialect::llamacpp;
    return answer(connection, 200, says ? "{\"status\":\"ok\"}" : "",
                  says ? "application/json" : "text/plain");
  }
  if (path == "/version") return answer(connection, 200, "{\"version\":\"testbed\"}");
  if (path == "/testbed/truth") return answer(connection, 200, truth().dump());
  if (path == "/testbed/faults") return answer(connection, 200, faults_.describe().dump());
  if (path == "/testbed/counters") return answer(connection, 200, counters().dump(1));
  if (answer_page(connection, request.target())) return;
  answer_error(connection, 404, "NotFoundError", "Not Found");
}

std::string EngineServer::head(int status, std::string_view type, std::string_view extra) const {
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\nServer: testbed-engine\r\n", status, reason_of(status));
  if (!options_.name.empty()) text += fmt::format("X-Testbed-Engine: {}\r\n", options_.name);
  return text + fmt::format("Content-Type: {}\r\n{}", type, extra);
}

void EngineServer::answer(ServerConnection& connection, int status, std::string_view body,
                          std::string_view type, std::string_view extra) {
  connection.send(head(status, type, extra) +
                  fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body));
  connection.answer_done(true);
}

void EngineServer::answer_error(ServerConnection& connection, int status, std::string_view type,
                                std::string_view message, std::string_view extra) {
  answer(connection, status, error_body(status, type, message), "application/json", extra);
}

void EngineServer::set_faults(ServerConnection& connection, HttpReader& request) {
  const auto wish = nlohmann::json::parse(request.body(), nullptr, false);
  if (const auto error = apply_faults(wish)) {
    return answer_error(connection, 400, "BadRequestError", *error);
  }
  answer(connection, 200, faults_.describe().dump());
  if (wish.contains("drop") && wish["drop"] == true) drop_connections();
}

std::optional<std::string> EngineServer::apply_faults(const nlohmann::json& wish) {
  if (const auto error = faults_.apply(wish)) return error;
  apply_slowdown();
  if (wish.contains("counters_restart") && wish["counters_restart"] == true) metrics_.begin_anew();
  if (wish.contains("listen")) {
    if (wish["listen"] == false || wish["listen"] == "off") {
      listener_->close();
    } else if (const auto error = listener_->reopen()) {
      return error;
    }
  }
  if (wish.contains("listen_off_s") && wish["listen_off_s"].is_number()) {
    listener_->close();
    const Micros back = poller_.now() + from_seconds(wish["listen_off_s"].get<double>());
    poller_.call_at(back, [this] { listener_->reopen(); });
  }
  return std::nullopt;
}

void EngineServer::apply_slowdown() {
  model_.set_slowdown(faults_.slow() * (slow_start_ ? options_.slow_start_factor : 1.0));
}

void EngineServer::drop_connections() {
  std::vector<ServerConnection*> all;
  for (const auto& [key, connection] : connections_) all.push_back(key);
  for (ServerConnection* const connection : all) connection->reset();
}

nlohmann::json EngineServer::counters() const {
  nlohmann::json faults = nlohmann::json::object();
  std::uint64_t aborted = 0;
  std::uint64_t completed = 0;
  for (const auto& [outcome, count] : outcomes_) {
    if (outcome == "aborted") aborted = count;
    if (outcome == "ok") completed = count;
    if (outcome.starts_with("fault_")) faults[outcome.substr(6)] = count;
  }
  return {{"received", received_},
          {"completed", completed},
          {"aborted_by_client", aborted},
          {"open", exchanges_.size()},
          {"faults", faults},
          {"outcomes", outcomes_},
          {"tokens_generated", metrics_.generation_tokens()},
          {"running", model_.running()},
          {"waiting", model_.waiting()},
          {"preemptions", model_.preemptions()},
          {"connections_accepted", accepted_},
          {"connections_open", connections_.size()}};
}

}  // namespace sluice::testbed
