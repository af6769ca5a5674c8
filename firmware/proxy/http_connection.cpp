#include "firmware/proxy/http_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "firmware/base/check.h"
#include "firmware/proxy/api_error.h"

namespace sluice::proxy {

using ports::HttpEvent;
using ports::HttpStep;

namespace {

void release(std::string* buffer) {
  if (buffer->capacity() > HttpConnection::kIdleBufferMax) {
    std::string().swap(*buffer);
  } else {
    buffer->clear();
  }
}

}  // namespace

HttpConnection::HttpConnection(std::unique_ptr<ports::ByteStream> stream,
                               std::unique_ptr<ports::HttpRequestParser> parser,
                               ports::Timers& timers, ports::HttpService& service,
                               std::shared_ptr<const ConnectionRules> rules, Callback on_closed)
    : stream_(std::move(stream)),
      parser_(std::move(parser)),
      service_(service),
      rules_(std::move(rules)),
      on_closed_(std::move(on_closed)),
      peer_{stream_->peer(), !stream_->peer().unix_path.empty()},
      turn_(timers.make([this] { on_turn(); })),
      late_(timers.make([this] { on_late(); })) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::start() {
  late_->start(rules_->times.idle_max);
  stream_->start(*this);
}

void HttpConnection::finish_soon(Duration grace) {
  grace_ = closing_ ? Duration() : grace;
  closing_ = true;
  if (state_ != State::idle) return;
  if (grace_.is_zero()) return close_when_sent();
  late_->start(grace_);
}

void HttpConnection::move_to(State state) {
  ENSURE(state_ != State::closed);
  ENSURE(state_ != State::lingering || state == State::closed);
  state_ = state;
}

// Bytes are parsed where they lie; only what is left of them is kept.
void HttpConnection::on_bytes(std::string_view bytes) {
  if (state_ == State::lingering) still_sends_ = true;
  if (state_ == State::lingering || state_ == State::closed) return;
  if (state_ == State::answering) return keep_ahead(bytes);
  if (input_.empty()) return keep_ahead(bytes.substr(read_requests(bytes)));
  input_.append(bytes);
  input_.erase(0, read_requests(input_));
}

void HttpConnection::keep_ahead(std::string_view bytes) {
  if (bytes.empty() || input_dropped_ || state_ == State::lingering) return;
  if (input_.size() + bytes.size() <= kInputMax) {
    input_.append(bytes);
    return;
  }
  input_dropped_ = true;
  keep_alive_ = false;
  release(&input_);
}

size_t HttpConnection::read_requests(std::string_view input) {
  size_t done = 0;
  while (state_ == State::idle || state_ == State::head || state_ == State::body) {
    const std::string_view unread = input.substr(done);
    if (unread.empty() && state_ != State::body) break;
    if (state_ == State::idle) {
      move_to(State::head);
      bodyless_ = false;
      late_->start(rules_->times.head_max);
    }
    const HttpStep step = parser_->step(unread);
    done += step.consumed;
    if (!take_step(step)) break;
  }
  return done;
}

bool HttpConnection::take_step(const HttpStep& step) {
  switch (step.event) {
    case HttpEvent::need_more:
      return false;
    case HttpEvent::head:
      return open_request();
    case HttpEvent::body:
      body_bytes_ += step.body.size();
      if (activity_ && !answer_ended_) activity_->on_body(step.body);
      return true;
    case HttpEvent::end:
      body_complete_ = true;
      late_->stop();
      if (state_ == State::lingering || state_ == State::closed) return false;
      move_to(State::answering);
      if (answer_ended_) {
        turn_->start(Duration());
      } else {
        activity_->on_body_end();
      }
      return false;
    case HttpEvent::fault:
      refuse(step.status, "malformed_request", step.fault);
      return false;
  }
  return false;
}

bool HttpConnection::is_rightly_addressed() const {
  if (!rules_->host_names || peer_.local_socket) return true;
  const std::string* host = parser_->head().fields.find("host");
  return host == nullptr || is_called(*host, *rules_->host_names);
}

bool HttpConnection::open_request() {
  const ports::HttpRequestHead& head = parser_->head();
  bodyless_ = head.method == "HEAD";
  if (!is_rightly_addressed()) {
    refuse(421, "misdirected_request",
           "the box does not go by the name in Host; call it by its address or its own name, or "
           "have this name added to access.hosts in its settings");
    return false;
  }
  move_to(State::body);
  head_sent_ = false;
  answer_ended_ = false;
  body_complete_ = false;
  keep_alive_ = head.keep_alive && !closing_ && ++requests_ < rules_->requests_max;
  body_waited_ = Duration();
  if (head.has_body) wait_for_body();
  activity_ = service_.open(head, peer_, *this);
  if (head.expects_continue && !head_sent_ && head.has_body) {
    write("HTTP/1.1 100 Continue\r\n\r\n");
  }
  return true;
}

void HttpConnection::refuse(int status, std::string_view code, const std::string& why) {
  if (activity_ && !answer_ended_) {
    activity_->on_client_gone();
    answer_ended_ = true;
    if (head_sent_) return break_off();
  }
  head_sent_ = false;
  answer_ended_ = false;
  keep_alive_ = false;
  body_complete_ = false;
  send_error(*this, {status, "invalid_request_error", std::string(code), why, {}, false}, "");
}

void HttpConnection::send_head(int status, const ports::HttpFields& fields,
                               std::optional<uint64_t> length) {
  ENSURE(!head_sent_ && !answer_ended_);
  head_sent_ = true;
  const bool old_client = parser_->head().minor_version == 0;
  chunked_ = !length && !old_client;
  cut_by_reset_ = !chunked_ && !bodyless_;
  if (!body_complete_ && parser_->head().has_body) keep_alive_ = false;  // the rest is not read
  if (closing_ || (peer_ended_ && input_.empty())) keep_alive_ = false;
  if (!length && old_client) keep_alive_ = false;
  output_.clear();
  fmt::format_to(std::back_inserter(output_), "HTTP/1.1 {} {}\r\n", status,
                 ports::reason_phrase(status));
  for (const ports::HttpField& field : fields) {
    output_.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (length) fmt::format_to(std::back_inserter(output_), "content-length: {}\r\n", *length);
  if (chunked_) output_.append("transfer-encoding: chunked\r\n");
  if (!keep_alive_) {
    output_.append("connection: close\r\n");
  } else if (old_client) {
    output_.append("connection: keep-alive\r\n");
  }
  output_.append("\r\n");
}

void HttpConnection::send_body(std::string_view bytes) {
  ENSURE(head_sent_ && !answer_ended_);
  if (!bodyless_ && !bytes.empty()) {
    if (chunked_) fmt::format_to(std::back_inserter(output_), "{:x}\r\n", bytes.size());
    output_.append(bytes);
    if (chunked_) output_.append("\r\n");
  }
  flush();
}

void HttpConnection::write(std::string_view bytes) {
  written_ += bytes.size();
  stream_->write(bytes);
}

void HttpConnection::flush() {
  if (output_.empty()) return;
  write(output_);
  output_.clear();
  if (state_ == State::answering && !late_->is_running()) watch_taking();
}

// A client that takes nothing holds memory here and a place at a node.
void HttpConnection::watch_taking() {
  if (stream_->pending_bytes() == 0) return;
  taken_seen_ = taken();
  late_->start(rules_->times.stall_max);
}

void HttpConnection::on_taking_late() {
  if (stream_->pending_bytes() == 0) return;
  if (taken() == taken_seen_) return client_left();
  watch_taking();
}

void HttpConnection::end() {
  ENSURE(head_sent_ && !answer_ended_);
  if (chunked_ && !bodyless_) output_.append("0\r\n\r\n");
  flush();
  answer_ended_ = true;
  if (!keep_alive_) return close_after_answer();
  if (state_ == State::answering) turn_->start(Duration());
}

void HttpConnection::cut() {
  ENSURE(!answer_ended_);
  flush();
  answer_ended_ = true;
  break_off();
}

// Without chunks a FIN would pass for the end of a body that only the close ends; and of one whose
// length was told some clients (node-fetch 2, under openai 4) wait for the rest for ever; a reset
// wakes most of them.
void HttpConnection::break_off() {
  if (!cut_by_reset_) return close_after_answer();
  if (state_ == State::lingering || state_ == State::closed) return;
  stream_->reset();
  close();
}

// FIN after what is pending, then wait a little for the client's FIN: a close with unread input
// would reset the connection and could take the answer with it.
void HttpConnection::close_after_answer() {
  if (state_ == State::lingering || state_ == State::closed) return;
  move_to(State::lingering);
  stream_->end_writing();
  linger();
  turn_->start(Duration());
}

// Longer only while the client takes what is pending, or sends the rest of a body that was refused:
// many read no answer before they have sent all.
void HttpConnection::linger() {
  if (peer_ended_ && stream_->pending_bytes() == 0) return close();
  taken_seen_ = taken();
  late_->start(stream_->pending_bytes() == 0 ? kLingerMax : rules_->times.stall_max);
}

void HttpConnection::on_linger_late() {
  const bool sends = std::exchange(still_sends_, false) && ++lingers_ < kLingersMax;
  const bool goes_on = stream_->pending_bytes() == 0 ? sends : taken() != taken_seen_;
  if (!goes_on) return close();
  linger();
}

// Closing takes what is pending with it.
void HttpConnection::close_when_sent() {
  if (stream_->pending_bytes() == 0) return close();
  close_after_answer();
}

size_t HttpConnection::backlog_bytes() const { return stream_->pending_bytes() + output_.size(); }

void HttpConnection::on_turn() {
  if (state_ == State::closed) {
    activity_.reset();
    stream_.reset();
    Callback closed = std::move(on_closed_);
    closed();  // the owner destroys this
    return;
  }
  activity_.reset();
  if (state_ == State::lingering) return release(&input_);
  move_to(State::idle);
  const bool over = closing_ && grace_.is_zero();
  if (over || (peer_ended_ && input_.empty())) return close_when_sent();
  go_on();
}

// The next request, some of which may be here already.
void HttpConnection::go_on() {
  parser_->restart();
  release(&output_);
  late_->start(closing_ ? grace_ : rules_->times.idle_max);
  input_.erase(0, read_requests(input_));
  if (input_.empty()) release(&input_);
  if (!peer_ended_) return;
  if (state_ == State::idle || state_ == State::head || state_ == State::body) client_left();
}

// The rate counts over whole windows, so that a pause or a slow start does no harm.
void HttpConnection::wait_for_body() {
  const ConnectionTimes& times = rules_->times;
  body_bytes_ = 0;
  body_window_ = std::min(times.body_slow_max, times.body_max - body_waited_);
  late_->start(body_window_);
}

void HttpConnection::on_body_late() {
  body_waited_ = body_waited_ + body_window_;
  const double least =
      static_cast<double>(rules_->body_per_s_min.count) * body_window_.as_seconds();
  const bool slow = static_cast<double>(body_bytes_) < std::max(1.0, least);
  if (!slow && body_waited_ < rules_->times.body_max) return wait_for_body();
  if (head_sent_) return client_left();
  refuse(408, "request_timeout",
         slow ? "the request's body came too slowly" : "the request's body did not arrive in time");
}

void HttpConnection::on_late() {
  switch (state_) {
    case State::head:
      return refuse(408, "request_timeout", "the request's head did not arrive in time");
    case State::body:
      return on_body_late();
    case State::lingering:
      return on_linger_late();
    case State::idle:  // what a client sends too late is not answered, but does not reset either
      return closing_ ? close_after_answer() : close_when_sent();
    case State::answering:
      return on_taking_late();
    case State::closed:
      return;
  }
}

void HttpConnection::on_end() {
  if (state_ == State::closed) return;
  peer_ended_ = true;
  if (rules_->keeps_half_closed && state_ == State::answering) return;
  if (activity_ && !answer_ended_) return client_left();
  close_when_sent();  // it sends nothing more, but may still be reading
}

void HttpConnection::on_error(const Error&) {
  if (state_ == State::closed) return;
  client_left();
}

void HttpConnection::client_left() {
  if (activity_ && !answer_ended_) {
    answer_ended_ = true;
    activity_->on_client_gone();
  }
  close();
}

void HttpConnection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  late_->stop();
  turn_->start(Duration());
}

void HttpConnection::on_drained() {
  if (state_ == State::lingering && peer_ended_) return close();
  if (activity_ && !answer_ended_) activity_->on_drained();
}

}  // namespace sluice::proxy
