#include "firmware/proxy/http_connection.h"

#include <fmt/format.h>

#include "firmware/base/check.h"
#include "firmware/proxy/api_error.h"

namespace sluice::proxy {

using ports::HttpEvent;
using ports::HttpStep;

HttpConnection::HttpConnection(std::unique_ptr<ports::ByteStream> stream,
                               std::unique_ptr<ports::HttpRequestParser> parser,
                               ports::Timers& timers, ports::HttpService& service,
                               const ConnectionTimes& times, Callback on_closed)
    : stream_(std::move(stream)),
      parser_(std::move(parser)),
      service_(service),
      times_(times),
      on_closed_(std::move(on_closed)),
      peer_{stream_->peer(), !stream_->peer().unix_path.empty()},
      turn_(timers.make([this] { on_turn(); })),
      late_(timers.make([this] { on_late(); })),
      body_late_(timers.make([this] { on_late(); })) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::start() {
  late_->start(times_.idle_max);
  stream_->start(*this);
}

void HttpConnection::finish_soon() {
  closing_ = true;
  if (state_ == State::idle) close_when_sent();
}

void HttpConnection::move_to(State state) {
  ENSURE(state_ != State::closed);
  ENSURE(state_ != State::lingering || state == State::closed);
  state_ = state;
}

void HttpConnection::on_bytes(std::string_view bytes) {
  if (state_ == State::lingering || state_ == State::closed) return;
  input_.append(bytes);
  if (state_ == State::answering || turn_->is_running()) {
    if (input_.size() > kInputMax && !input_paused_) {
      input_paused_ = true;
      stream_->pause_reading();
    }
    return;
  }
  read_requests();
}

void HttpConnection::read_requests() {
  size_t done = 0;
  while (state_ == State::idle || state_ == State::head || state_ == State::body) {
    const std::string_view unread = std::string_view(input_).substr(done);
    if (unread.empty() && state_ != State::body) break;
    if (state_ == State::idle) {
      move_to(State::head);
      late_->start(times_.head_max);
    }
    const HttpStep step = parser_->step(unread);
    done += step.consumed;
    if (!take_step(step)) break;
  }
  input_.erase(0, done);
}

bool HttpConnection::take_step(const HttpStep& step) {
  switch (step.event) {
    case HttpEvent::need_more:
      return false;
    case HttpEvent::head:
      open_request();
      return true;
    case HttpEvent::body:
      late_->start(times_.idle_max);
      if (activity_ && !answer_ended_) activity_->on_body(step.body);
      return true;
    case HttpEvent::end:
      body_complete_ = true;
      late_->stop();
      body_late_->stop();
      if (state_ == State::lingering || state_ == State::closed) return false;
      move_to(State::answering);
      if (answer_ended_) {
        turn_->start(Duration());
      } else {
        activity_->on_body_end();
      }
      return false;
    case HttpEvent::fault:
      refuse(step.status, step.fault);
      return false;
  }
  return false;
}

void HttpConnection::open_request() {
  const ports::HttpRequestHead& head = parser_->head();
  move_to(State::body);
  late_->start(times_.idle_max);
  if (head.has_body) body_late_->start(times_.body_max);
  head_sent_ = false;
  answer_ended_ = false;
  body_complete_ = false;
  bodyless_ = head.method == "HEAD";
  keep_alive_ = head.keep_alive && !closing_;
  activity_ = service_.open(head, peer_, *this);
  if (head.expects_continue && !head_sent_ && head.has_body) {
    stream_->write("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

void HttpConnection::refuse(int status, const std::string& why) {
  if (activity_ && !answer_ended_) {
    activity_->on_client_gone();
    answer_ended_ = true;
    if (head_sent_) return break_off();
  }
  head_sent_ = false;
  answer_ended_ = false;
  bodyless_ = false;
  keep_alive_ = false;
  body_complete_ = false;
  send_error(*this, {status, "invalid_request_error", "malformed_request", why, {}, false}, "");
}

void HttpConnection::send_head(int status, const ports::HttpFields& fields,
                               std::optional<uint64_t> length) {
  ENSURE(!head_sent_ && !answer_ended_);
  head_sent_ = true;
  const bool old_client = parser_->head().minor_version == 0;
  chunked_ = !length && !old_client;
  ends_with_close_ = !length && old_client && !bodyless_;
  if (!body_complete_ && parser_->head().has_body) keep_alive_ = false;  // the rest is not read
  if (closing_ || (!length && old_client)) keep_alive_ = false;
  output_ = fmt::format("HTTP/1.1 {} {}\r\n", status, ports::reason_phrase(status));
  for (const ports::HttpField& field : fields) {
    output_.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (length) output_.append(fmt::format("content-length: {}\r\n", *length));
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

void HttpConnection::flush() {
  if (output_.empty()) return;
  stream_->write(output_);
  output_.clear();
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

// Where only the close tells the end of a body a FIN would pass for a whole answer.
void HttpConnection::break_off() {
  if (!ends_with_close_) return close_after_answer();
  if (state_ == State::lingering || state_ == State::closed) return;
  stream_->reset();
  close();
}

// FIN after what is pending, then wait a little for the client's FIN: a close with unread input
// would reset the connection and could take the answer with it.
void HttpConnection::close_after_answer() {
  if (state_ == State::lingering || state_ == State::closed) return;
  move_to(State::lingering);
  body_late_->stop();
  stream_->end_writing();
  linger_pending_ = stream_->pending_bytes() + 1;
  late_->start(kLingerMax);
  turn_->start(Duration());
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
  if (state_ == State::lingering) return;
  move_to(State::idle);
  if (closing_) return close_when_sent();
  parser_->restart();
  late_->start(times_.idle_max);
  if (input_paused_) {
    input_paused_ = false;
    stream_->resume_reading();
  }
  read_requests();
}

void HttpConnection::on_late() {
  switch (state_) {
    case State::head:
      return refuse(408, "the request's head did not arrive in time");
    case State::body:
      if (!head_sent_) return refuse(408, "the request's body did not arrive in time");
      return client_left();
    case State::lingering: {  // longer only while the client takes what is pending
      const size_t pending = stream_->pending_bytes();
      if (pending == 0 || pending >= linger_pending_) return close();
      linger_pending_ = pending;
      late_->start(kLingerMax);
      return;
    }
    case State::idle:
      return close();
    case State::answering:
    case State::closed:
      return;
  }
}

void HttpConnection::on_end() {
  if (state_ == State::closed) return;
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
  if (activity_ && !answer_ended_) activity_->on_drained();
}

}  // namespace sluice::proxy
