// The server's inside: one inference request from its body to its last token, or to its fault.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "tests/testbed/engine_server.h"
#include "tests/testbed/words.h"

namespace sluice::testbed {

namespace {

constexpr std::string_view kWrongStatusLine = "HTTQ/1.1 2OO OK\r\nContent-Length: 2\r\n\r\n{}";

std::string chunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

bool happens_midway(Fault fault) {
  return fault == Fault::reset || fault == Fault::stall || fault == Fault::cut ||
         fault == Fault::malformed || fault == Fault::badjson;
}

}  // namespace

void EngineServer::infer(ServerConnection& connection, HttpReader& request, bool chat) {
  ++received_;
  const FaultDraw fault = faults_.draw();
  if (fail_at_once(connection, fault)) return;
  ChatRequest ask;
  if (const auto error = read_chat_request(request.body(), chat, &ask)) {
    note_outcome("http_400");
    return answer_error(connection, 400, "BadRequestError", *error);
  }
  if (std::find(options_.models.begin(), options_.models.end(), ask.model) ==
      options_.models.end()) {
    note_outcome("http_404");
    return answer_error(connection, 404, "NotFoundError",
                        fmt::format("The model `{}` does not exist.", ask.model));
  }
  start(connection, request, std::move(ask), fault);
}

bool EngineServer::fail_at_once(ServerConnection& connection, const FaultDraw& fault) {
  const std::string retry = fmt::format("Retry-After: {}\r\n", faults_.retry_after_s());
  const bool wrong_status_line = fault.fault == Fault::malformed && fault.place < 0.5;
  switch (fault.fault) {
    case Fault::refuse:
    case Fault::hang:
      break;
    case Fault::status503:
      answer_error(connection, 503, "ServiceUnavailableError", "The engine is overloaded.", retry);
      break;
    case Fault::status429:
      answer_error(connection, 429, "RateLimitError", "Too many requests.", retry);
      break;
    case Fault::status500:
      answer_error(connection, 500, "InternalServerError", "EngineCore encountered an issue.");
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

std::optional<std::string> EngineServer::unfit(const ChatRequest& request,
                                               std::int64_t output) const {
  const std::int64_t prompt = prompt_tokens(request.prompt_text.size());
  const std::int64_t most = std::min(options_.max_model_len, options_.cost.kv_tokens);
  if (prompt + output <= most) return std::nullopt;
  return fmt::format("This model's maximum context length is {} tokens, you asked for {}.", most,
                     prompt + output);
}

void EngineServer::start(ServerConnection& connection, HttpReader& request, ChatRequest ask,
                         FaultDraw fault) {
  const std::int64_t limit = ask.max_tokens > 0 ? ask.max_tokens : options_.output_tokens;
  const bool stops = options_.eos_tokens > 0 && options_.eos_tokens < limit && !ask.ignore_eos;
  const std::int64_t output = stops ? options_.eos_tokens : limit;
  if (const auto error = unfit(ask, output)) {
    note_outcome("http_400");
    return answer_error(connection, 400, "BadRequestError", *error);
  }
  const RequestId id = ++last_id_;
  const Micros now = poller_.now();
  const std::uint64_t seed = text_seed(ask.prompt_text);
  const std::string answer_id =
      fmt::format("{}-{:016x}{:08x}", ask.chat ? "chatcmpl" : "cmpl", mix(seed ^ id), id);
  exchanges_.emplace(
      id, Exchange{.connection = &connection,
                   .request = ask,
                   .wire = AnswerWire(ask, answer_id, std::time(nullptr)),
                   .seed = seed,
                   .prompt_tokens = prompt_tokens(ask.prompt_text.size()),
                   .output_tokens = output,
                   .finish_reason = stops ? "stop" : "length",
                   .chunked = !request.http10(),
                   .keep = request.keeps_alive() && !(request.http10() && ask.stream),
                   .fault = happens_midway(fault.fault) ? fault : FaultDraw{},
                   .fault_index = static_cast<std::int64_t>(
                       fault.place * static_cast<double>(std::max<std::int64_t>(1, output))),
                   .received = now,
                   .last_token = now});
  connection.exchange = id;
  model_.submit(now, id, prompt_tokens(ask.prompt_text.size()), output);
}

void EngineServer::on_engine_event(const EngineEvent& event) {
  const auto found = exchanges_.find(event.id);
  if (found == exchanges_.end()) return;
  Exchange& exchange = found->second;
  const double since_received = to_seconds(event.at - exchange.received);
  switch (event.kind) {
    case EngineEvent::Kind::admitted:
      if (event.index == 0) metrics_.on_admitted(since_received);
      return;
    case EngineEvent::Kind::preempted:
      return;
    case EngineEvent::Kind::first_token:
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
  if (!exchange.request.stream) return;
  if (event.index == 0) send_stream_head(exchange);
  if (exchange.fault.fault != Fault::none && event.index == exchange.fault_index) {
    return fail_midway(id, exchange);
  }
  const bool last = event.index + 1 == exchange.output_tokens;
  send_event(exchange, exchange.wire.token_event(word(exchange.seed, event.index),
                                                 last ? exchange.finish_reason : ""));
}

void EngineServer::send_stream_head(Exchange& exchange) {
  exchange.connection->send(
      head(200, "text/event-stream; charset=utf-8",
           exchange.chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Connection: close\r\n\r\n"));
  send_event(exchange, exchange.wire.role_event());
}

void EngineServer::send_event(Exchange& exchange, std::string_view event) {
  if (event.empty()) return;
  exchange.connection->send(exchange.chunked ? chunk(event) : std::string(event));
}

std::string EngineServer::whole_answer(const Exchange& exchange) const {
  const std::string body =
      exchange.wire.whole(words(exchange.seed, exchange.output_tokens), exchange.finish_reason,
                          exchange.prompt_tokens, exchange.output_tokens);
  return head(200, "application/json",
              fmt::format("Content-Length: {}\r\n{}\r\n", body.size(),
                          exchange.keep ? "" : "Connection: close\r\n")) +
         body;
}

void EngineServer::on_finished(RequestId id, Exchange& exchange, Micros at) {
  if (!exchange.request.stream && exchange.fault.fault != Fault::none) {
    return fail_midway(id, exchange);
  }
  metrics_.on_finished(exchange.finish_reason, to_seconds(at - exchange.received));
  note_outcome("ok");
  ServerConnection& connection = *exchange.connection;
  const bool keep = exchange.keep;
  if (exchange.request.stream) {
    if (exchange.request.include_usage) {
      send_event(exchange,
                 exchange.wire.usage_event(exchange.prompt_tokens, exchange.output_tokens));
    }
    send_event(exchange, AnswerWire::done_event());
    if (exchange.chunked) connection.send("0\r\n\r\n");
  } else {
    connection.send(whole_answer(exchange));
  }
  exchanges_.erase(id);
  connection.answer_done(keep);
}

void EngineServer::fail_midway(RequestId id, Exchange& exchange) {
  const Fault fault = exchange.fault.fault;
  ServerConnection& connection = *exchange.connection;
  if (exchange.request.stream) {
    if (fault == Fault::malformed) connection.send("xyzzy\r\nnot a chunk\r\n");
    if (fault == Fault::badjson) {
      send_event(exchange, "data: {\"choices\":[{\"delta\":{\"content\":\"\n\n");
    }
  } else if (fault == Fault::malformed) {
    connection.send(kWrongStatusLine);
  } else if (fault == Fault::badjson) {
    connection.send(head(200, "application/json", "Content-Length: 12\r\n\r\n{\"choices\":["));
  } else {
    const std::string whole = whole_answer(exchange);
    const std::size_t body = whole.find("\r\n\r\n") + 4;
    connection.send(std::string_view(whole).substr(0, (body + whole.size()) / 2));
  }
  model_.cancel(poller_.now(), id);
  exchanges_.erase(id);
  connection.exchange = 0;
  note_outcome("fault_" + std::string(name_of(fault)));
  if (fault == Fault::stall) return connection.hold();
  if (fault == Fault::reset) return connection.reset();
  connection.answer_done(false);
}

}  // namespace sluice::testbed
