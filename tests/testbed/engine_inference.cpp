// The server's inside: one inference request from its body to its last token, or to its fault.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tests/testbed/engine_server.h"
#include "tests/testbed/multipart.h"
#include "tests/testbed/words.h"

namespace sluice::testbed {

namespace {

constexpr std::string_view kWrongStatusLine = "HTTQ/1.1 2OO OK\r\nContent-Length: 2\r\n\r\n{}";

std::string chunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

bool happens_midway(Fault fault) {
  return fault == Fault::reset || fault == Fault::stall || fault == Fault::cut ||
         fault == Fault::malformed || fault == Fault::badjson || fault == Fault::error_event;
}

// The words of a transcript are a function of the file's hash and the prompt field.
std::optional<std::string> read_transcript_request(const HttpReader& request, InferRequest* ask) {
  Form form;
  if (auto error = read_form(request.header("content-type"), request.body(), &form)) return error;
  const FormPart* const file = form.find("file");
  if (file == nullptr || file->file_name.empty()) return "file is missing";
  ask->dialect = Dialect::transcript;
  ask->model = form.text("model");
  if (ask->model.empty()) return "model is missing";
  ask->stream = form.text("stream") == "true";
  ask->prompt_text = sha256_hex(file->bytes) + form.text("prompt");
  ask->more_fields = {{"testbed", told(form)}};
  return std::nullopt;
}

}  // namespace

bool EngineServer::offers(const EndpointEntry& endpoint) const {
  const auto& names = options_.endpoints;
  return names.empty() || std::find(names.begin(), names.end(), endpoint.name) != names.end();
}

bool EngineServer::knows_model(const std::string& model) const {
  return std::find(options_.models.begin(), options_.models.end(), model) != options_.models.end();
}

void EngineServer::serve(ServerConnection& connection, HttpReader& request,
                         const EndpointEntry& endpoint) {
  ++received_;
  const FaultDraw fault = faults_.draw();
  if (fail_at_once(connection, endpoint, fault)) return;
  if (endpoint.dialect) return infer(connection, request, endpoint, fault);
  answer_plain(connection, request, endpoint, fault);
}

void EngineServer::infer(ServerConnection& connection, HttpReader& request,
                         const EndpointEntry& endpoint, const FaultDraw& fault) {
  InferRequest ask;
  auto error = *endpoint.dialect == Dialect::transcript
                   ? read_transcript_request(request, &ask)
                   : read_infer_request(request.body(), *endpoint.dialect, &ask);
  if (error) return refuse(connection, endpoint, 400, "BadRequestError", *error);
  if (!knows_model(ask.model)) {
    return refuse(connection, endpoint, 404, "NotFoundError",
                  fmt::format("The model `{}` does not exist.", ask.model));
  }
  if ((error = recall(&ask))) return refuse(connection, endpoint, 404, "NotFoundError", *error);
  start(connection, request, std::move(ask), fault, endpoint);
}

// Puts the conversation so far before the prompt. Only the engine that gave an answer knows it.
std::optional<std::string> EngineServer::recall(InferRequest* ask) const {
  if (ask->previous_response_id.empty()) return std::nullopt;
  const auto found = stored_.find(ask->previous_response_id);
  if (found == stored_.end()) {
    return fmt::format("Response with id '{}' not found.", ask->previous_response_id);
  }
  ask->prompt_text = found->second + ask->prompt_text;
  return std::nullopt;
}

void EngineServer::answer_plain(ServerConnection& connection, HttpReader& request,
                                const EndpointEntry& endpoint, const FaultDraw& fault) {
  PlainAnswer made;
  const PlainRequest asked{request.body(), request.header("content-type"), std::time(nullptr)};
  if (const auto error = endpoint.plain(asked, &made)) {
    return refuse(connection, endpoint, 400, "BadRequestError", *error);
  }
  if (!made.model.empty() && !knows_model(made.model)) {
    return refuse(connection, endpoint, 404, "NotFoundError",
                  fmt::format("The model `{}` does not exist.", made.model));
  }
  if (happens_midway(fault.fault)) {
    note_outcome("fault_" + std::string(name_of(fault.fault)));
    cut_short(connection, fault.fault,
              head(200, made.type,
                   fmt::format("Content-Length: {}\r\n\r\n{}", made.body.size(), made.body)));
    return end_with_fault(connection, fault.fault);
  }
  note_outcome("ok");
  answer(connection, 200, made.body, made.type);
}

void EngineServer::refuse(ServerConnection& connection, const EndpointEntry& endpoint, int status,
                          std::string_view type, std::string_view message) {
  note_outcome(fmt::format("http_{}", status));
  send_error(connection, endpoint, status, type, message);
}

void EngineServer::send_error(ServerConnection& connection, const EndpointEntry& endpoint,
                              int status, std::string_view type, std::string_view message,
                              std::string_view extra) {
  answer(connection, status,
         endpoint.tells_as_messages() ? messages_error_body(status, message)
                                      : error_body(status, type, message),
         "application/json", extra);
}

bool EngineServer::fail_at_once(ServerConnection& connection, const EndpointEntry& endpoint,
                                const FaultDraw& fault) {
  const std::string retry = fmt::format("Retry-After: {}\r\n", faults_.retry_after_s());
  const bool wrong_status_line = fault.fault == Fault::malformed && fault.place < 0.5;
  switch (fault.fault) {
    case Fault::refuse:
    case Fault::hang:
      break;
    case Fault::status503:
    case Fault::status529:
      send_error(connection, endpoint, fault.fault == Fault::status503 ? 503 : 529,
                 "ServiceUnavailableError", "The engine is overloaded.", retry);
      break;
    case Fault::status429:
      send_error(connection, endpoint, 429, "RateLimitError", "Too many requests.", retry);
      break;
    case Fault::status500:
      send_error(connection, endpoint, 500, "InternalServerError",
                 "EngineCore encountered an issue.");
      break;
    default:
      if (!wrong_status_line) return false;
      connection.send(kWrongStatusLine);
      connection.answer_done(false);
  }
  note_outcome("fault_" + std::string(name_of(fault.fault)));
  if (fault.fault == Fault::refuse) connection.close();
  if (fault.fault == Fault::hang) connection.hold();
  return true;
}

std::optional<std::string> EngineServer::unfit(const InferRequest& request,
                                               std::int64_t output) const {
  const std::int64_t prompt = prompt_tokens(request.prompt_text.size());
  const std::int64_t most = std::min(options_.max_model_len, options_.cost.kv_tokens);
  if (prompt + output <= most) return std::nullopt;
  return fmt::format("This model's maximum context length is {} tokens, you asked for {}.", most,
                     prompt + output);
}

void EngineServer::start(ServerConnection& connection, HttpReader& request, InferRequest ask,
                         FaultDraw fault, const EndpointEntry& endpoint) {
  const std::int64_t limit = ask.max_tokens > 0 ? ask.max_tokens : options_.output_tokens;
  const bool may_stop = !ask.ignore_eos && !ask.answers_in_tools();
  const bool stops = may_stop && options_.eos_tokens > 0 && options_.eos_tokens < limit;
  const AnswerScript script(ask, stops ? options_.eos_tokens : limit, stops);
  if (const auto error = unfit(ask, script.tokens())) {
    return refuse(connection, endpoint, 400, "BadRequestError", *error);
  }
  const RequestId id = ++last_id_;
  const Micros now = poller_.now();
  const std::int64_t prompt = prompt_tokens(ask.prompt_text.size());
  const bool stores = ask.dialect == Dialect::responses && ask.store;
  const double output = static_cast<double>(std::max<std::int64_t>(1, script.tokens()));
  exchanges_.emplace(id,
                     Exchange{.connection = &connection,
                              .wire = make_wire({ask, script, id, std::time(nullptr), prompt}),
                              .script = script,
                              .dialect = ask.dialect,
                              .stream = ask.stream,
                              .choices = ask.choices,
                              .prompt_tokens = prompt,
                              .context = stores ? ask.prompt_text : "",
                              .chunked = !request.http10(),
                              .keep = request.keeps_alive() && !(request.http10() && ask.stream),
                              .fault = happens_midway(fault.fault) ? fault : FaultDraw{},
                              .fault_index = static_cast<std::int64_t>(fault.place * output),
                              .received = now,
                              .last_token = now,
                              .request = std::string(request.header("x-request-id"))});
  connection.exchange = id;
  metrics_.on_received();
  model_.submit(now, id, prompt, script.tokens());
}

void EngineServer::on_engine_event(const EngineEvent& event) {
  const auto found = exchanges_.find(event.id);
  if (found == exchanges_.end()) return;
  Exchange& exchange = found->second;
  const double since_received = to_seconds(event.at - exchange.received);
  switch (event.kind) {
    case EngineEvent::Kind::admitted:
      if (event.index == 0) exchange.queue_s = since_received;
      if (event.index == 0) metrics_.on_admitted(since_received);
      return;
    case EngineEvent::Kind::preempted:
      return;
    case EngineEvent::Kind::first_token:
      exchange.ttft_s = since_received;
      metrics_.on_first_token(since_received, exchange.prompt_tokens);
      return on_token(event.id, exchange, event);
    case EngineEvent::Kind::token:
      metrics_.on_token(to_seconds(event.at - exchange.last_token));
      return on_token(event.id, exchange, event);
    case EngineEvent::Kind::finished:
      return on_finished(event.id, exchange, event.at);
  }
}

void EngineServer::on_token(RequestId id, Exchange& exchange, const EngineEvent& event) {
  exchange.last_token = event.at;
  metrics_.on_more_choices(static_cast<std::uint64_t>(exchange.choices - 1));
  if (!exchange.stream) {
    ++exchange.tokens;
    return;
  }
  if (event.index == 0) send_stream_head(exchange);
  if (exchange.fault.fault != Fault::none && event.index == exchange.fault_index) {
    return fail_midway(id, exchange);
  }
  ++exchange.tokens;
  for (int choice = 0; choice < exchange.choices; ++choice) {
    send_events(exchange, exchange.wire->token(choice, exchange.script.piece(choice, event.index)));
  }
}

void EngineServer::send_stream_head(Exchange& exchange) {
  exchange.connection->send(
      head(200, "text/event-stream; charset=utf-8",
           exchange.chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Connection: close\r\n\r\n"));
  send_events(exchange, exchange.wire->begin());
}

void EngineServer::send_events(Exchange& exchange, const Events& events) {
  for (const std::string& event : events) {
    exchange.connection->send(exchange.chunked ? chunk(event) : event);
  }
}

std::string EngineServer::whole_answer(const Exchange& exchange) const {
  const std::string body = exchange.wire->whole();
  return head(200, "application/json",
              fmt::format("Content-Length: {}\r\n{}\r\n", body.size(),
                          exchange.keep ? "" : "Connection: close\r\n")) +
         body;
}

void EngineServer::on_finished(RequestId id, Exchange& exchange, Micros at) {
  if (!exchange.stream && exchange.fault.fault != Fault::none) return fail_midway(id, exchange);
  // vLLM counts an answer that ends in a tool call as stopped.
  const bool cut = exchange.script.finish_reason() == "length";
  metrics_.on_finished(cut ? "length" : "stop", to_seconds(at - exchange.received),
                       {.prompt_tokens = exchange.prompt_tokens,
                        .tokens = exchange.tokens * exchange.choices,
                        .queue_s = exchange.queue_s,
                        .ttft_s = exchange.ttft_s});
  note_outcome("ok");
  record(exchange, "ok");
  remember(exchange);
  ServerConnection& connection = *exchange.connection;
  const bool keep = exchange.keep;
  if (exchange.stream) {
    send_events(exchange, exchange.wire->end());
    if (exchange.chunked) connection.send("0\r\n\r\n");
  } else {
    connection.send(whole_answer(exchange));
  }
  exchanges_.erase(id);
  connection.answer_done(keep);
}

void EngineServer::remember(const Exchange& exchange) {
  if (exchange.context.empty()) return;
  const std::string id = exchange.wire->id();
  stored_[id] = exchange.context + exchange.script.text(0);
  stored_order_.push_back(id);
  if (stored_order_.size() <= kMaxStored) return;
  stored_.erase(stored_order_.front());
  stored_order_.pop_front();
}

void EngineServer::fail_midway(RequestId id, Exchange& exchange) {
  const Fault fault = exchange.fault.fault;
  ServerConnection& connection = *exchange.connection;
  record(exchange, name_of(fault));
  if (exchange.stream) {
    if (fault == Fault::malformed) connection.send("xyzzy\r\nnot a chunk\r\n");
    if (fault == Fault::badjson) {
      send_events(exchange, {"data: {\"choices\":[{\"delta\":{\"content\":\"\n\n"});
    }
    if (fault == Fault::error_event) {
      send_events(exchange, exchange.wire->failure());
      if (exchange.chunked) connection.send("0\r\n\r\n");
    }
  } else {
    cut_short(connection, fault, whole_answer(exchange));
  }
  model_.cancel(poller_.now(), id);
  exchanges_.erase(id);
  connection.exchange = 0;
  note_outcome("fault_" + std::string(name_of(fault)));
  end_with_fault(connection, fault);
}

// What a whole answer is where the fault strikes.
void EngineServer::cut_short(ServerConnection& connection, Fault fault, std::string_view whole) {
  if (fault == Fault::malformed) return connection.send(kWrongStatusLine);
  if (fault == Fault::badjson) {
    return connection.send(
        head(200, "application/json", "Content-Length: 12\r\n\r\n{\"choices\":["));
  }
  if (fault == Fault::error_event) {
    const std::string body = error_body(500, "InternalServerError", "EngineCore stopped.");
    return connection.send(head(500, "application/json",
                                fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body)));
  }
  const std::size_t body = whole.find("\r\n\r\n") + 4;
  connection.send(whole.substr(0, (body + whole.size()) / 2));
}

void EngineServer::end_with_fault(ServerConnection& connection, Fault fault) {
  if (fault == Fault::stall) return connection.hold();
  if (fault == Fault::reset) return connection.reset();
  connection.answer_done(false);
}

}  // namespace sluice::testbed
