#include "drivers/http1/connection.h"

#include <algorithm>

#include "drivers/http1/request_writer.h"

namespace sluice::drivers {

using ports::HttpEvent;
using ports::HttpFailure;
using ports::HttpStep;

Http1Call::~Http1Call() {
  if (connection_ != nullptr) connection_->close();
}

void Http1Call::pause() {
  if (connection_ != nullptr) connection_->pause();
}

void Http1Call::resume() {
  if (connection_ != nullptr) connection_->resume();
}

Http1Connection::Http1Connection(ConnectionPorts& ports, ConnectionOwner& owner,
                                 ports::Address address)
    : ports_(ports),
      owner_(owner),
      address_(std::move(address)),
      timer_(ports.timers.make([this] { on_timer(); })) {}

Http1Connection::~Http1Connection() {
  if (call_ != nullptr) call_->attach(nullptr);
}

void Http1Connection::move_to(State next) {
  switch (next) {
    case State::fresh:
      ENSURE(false);
      break;
    case State::refusing:
    case State::dialing:
      ENSURE(state_ == State::fresh);
      break;
    case State::awaiting_head:
      ENSURE(state_ == State::dialing || state_ == State::resting);
      break;
    case State::in_body:
      ENSURE(state_ == State::awaiting_head);
      break;
    case State::resting:
      ENSURE(state_ == State::in_body);
      break;
    case State::closed:
      ENSURE(state_ != State::closed);
      break;
  }
  state_ = next;
}

void Http1Connection::adopt(ports::HttpCallSink& sink, Http1Call& call) {
  sink_ = &sink;
  call_ = &call;
  call.attach(this);
  started_ = ports_.clock.now();
  mark_ = started_;
}

void Http1Connection::refuse(Error error, ports::HttpCallSink& sink, Http1Call& call) {
  adopt(sink, call);
  refusal_ = std::move(error);
  move_to(State::refusing);
  timer_->start(Duration());
}

void Http1Connection::begin(ports::HttpCallSpec spec, ports::HttpCallSink& sink, Http1Call& call) {
  adopt(sink, call);
  spec_ = std::move(spec);
  body_bytes_ = 0;
  byte_seen_ = false;
  reused_ = state_ == State::resting;
  if (reused_) {
    send();
    return;
  }
  move_to(State::dialing);
  const Duration connect = spec_.timeouts.connect;
  dial_ = ports_.dialer.dial(address_, connect.is_zero() ? kDialMax : connect, *this);
  arm();
}

void Http1Connection::on_connected(std::unique_ptr<ports::ByteStream> stream) {
  spent_dial_ = std::move(dial_);
  stream_ = std::move(stream);
  stream_->start(*this);
  if (paused_) stream_->pause_reading();
  send();
}

void Http1Connection::on_dial_failed(const Error& error) {
  spent_dial_ = std::move(dial_);
  const Duration connect = spec_.timeouts.connect;
  const bool late = !connect.is_zero() && ports_.clock.now() >= mark_ + connect;
  fail(error.kind, error.text, late);
}

void Http1Connection::send() {
  if (parser_ == nullptr) parser_ = ports_.parsers.response_parser(ports_.limits);
  parser_->restart(spec_.method == "HEAD");
  std::string& request = ports_.scratch;
  request.clear();
  append_request_head(spec_, &request);
  const uint64_t body_size = spec_.body == nullptr ? 0 : spec_.body->size();
  body_sent_ = 0;
  if (body_size > 0 && request.size() + body_size <= kJoinedWriteMax) {
    const auto size = static_cast<size_t>(body_size);
    Result<void> joined = ports::append_range(*spec_.body, 0, size, request);
    if (!joined) refusal_ = joined.error();
    body_sent_ = body_size;
  }
  stream_->write(request);
  mark_ = ports_.clock.now();
  move_to(State::awaiting_head);
  send_more();
  arm();
}

// As much of the body as the stream may hold; the rest when that has been taken. Called from
// inside begin(), so a body that cannot be read back is told a turn later.
void Http1Connection::send_more() {
  size_t now_given = 0;
  std::string buffer;
  while (!refusal_ && spec_.body != nullptr && body_sent_ < spec_.body->size()) {
    if (stream_->pending_bytes() >= kSendAheadMax || now_given >= kSendPerTurnMax) break;
    const Result<std::string_view> piece = spec_.body->at(body_sent_, buffer);
    if (!piece) {
      refusal_ = piece.error();
      break;
    }
    const std::string_view part = piece->substr(0, ports::HttpBody::kPieceMax);
    stream_->write(part);
    body_sent_ += part.size();
    now_given += part.size();
  }
  if (spec_.body != nullptr && body_sent_ == spec_.body->size()) spec_.body.reset();
  unsent_seen_ = unsent_bytes();
  sent_ = unsent_seen_ == 0;
  // Nothing is pending, so no on_drained will come.
  if (refusal_ || (!sent_ && stream_->pending_bytes() == 0)) {
    armed_for_ = ports_.clock.now();
    timer_->start(Duration());
  }
}

uint64_t Http1Connection::unsent_bytes() const {
  const uint64_t unread = spec_.body == nullptr ? 0 : spec_.body->size() - body_sent_;
  return unread + stream_->pending_bytes();
}

void Http1Connection::on_drained() {
  if (sent_ || state_ == State::resting || state_ == State::closed) return;
  if (has_more_to_send()) send_more();
  sent_ = unsent_bytes() == 0;
  if (state_ != State::awaiting_head) return;
  mark_ = ports_.clock.now();
  if (!sent_) return;
  arm();
}

void Http1Connection::on_bytes(std::string_view bytes) {
  if (state_ == State::closed || bytes.empty()) return;
  if (state_ == State::resting) return close();  // an answer to nothing
  byte_seen_ = true;
  if (state_ == State::in_body) mark_ = ports_.clock.now();
  if (kept_.empty()) return deliver_fresh(bytes);
  kept_.append(bytes);
  if (const auto used = deliver(kept_)) kept_.erase(0, *used);
}

void Http1Connection::deliver_fresh(std::string_view bytes) {
  if (const auto used = deliver(bytes)) kept_.assign(bytes.substr(*used));
}

std::optional<size_t> Http1Connection::deliver(std::string_view input) {
  size_t at = 0;
  while (true) {
    HttpStep step = parser_->step(input.substr(at));
    at += step.consumed;
    switch (step.event) {
      case HttpEvent::need_more:
        return at;
      case HttpEvent::head:
        if (!deliver_head()) return std::nullopt;
        break;
      case HttpEvent::body:
        if (!deliver_body(step.body)) return std::nullopt;
        break;
      case HttpEvent::end:
        finish(parser_->head().keep_alive && at == input.size() && sent_);
        return std::nullopt;
      case HttpEvent::fault:
        fail(ErrorKind::broken, "the answer is not valid HTTP/1.1: " + step.fault);
        return std::nullopt;
    }
  }
}

bool Http1Connection::deliver_head() {
  move_to(State::in_body);
  mark_ = ports_.clock.now();
  arm();
  const ports::HttpResponseHead& head = parser_->head();
  const bool too_large =
      spec_.body_max.count > 0 && spec_.method != "HEAD" &&
      head.content_length.value_or(0) > static_cast<uint64_t>(spec_.body_max.count);
  sink_->on_head(head);
  if (state_ == State::closed) return false;
  if (too_large) fail(ErrorKind::broken, "the answer's body is larger than allowed here");
  return !too_large;
}

bool Http1Connection::deliver_body(std::string_view bytes) {
  body_bytes_ += static_cast<int64_t>(bytes.size());
  if (spec_.body_max.count > 0 && body_bytes_ > spec_.body_max.count) {
    fail(ErrorKind::broken, "the answer's body is larger than allowed here");
    return false;
  }
  sink_->on_body(bytes);
  return state_ != State::closed;
}

void Http1Connection::on_end() {
  if (state_ == State::closed) return;
  if (state_ == State::resting) return close();
  const HttpStep step = parser_->at_end();
  if (step.event == HttpEvent::end) return finish(false);
  fail(state_ == State::awaiting_head ? ErrorKind::gone : ErrorKind::broken, step.fault);
}

void Http1Connection::on_error(const Error& error) {
  if (state_ == State::closed) return;
  if (state_ == State::resting) return close();
  fail(ErrorKind::gone, error.text);
}

void Http1Connection::finish(bool reusable) {
  ports::HttpCallSink* sink = release_call();
  if (reusable) {
    kept_.clear();
    mark_ = ports_.clock.now();
    rests_after_stream_ =
        starts_with_ignoring_case(parser_->head().fields.get("content-type"), "text/event-stream");
    move_to(State::resting);
    if (paused_) stream_->resume_reading();  // to hear of the peer's end
    paused_ = false;
    owner_.on_resting(*this);
  } else {
    close();
  }
  sink->on_end();
}

void Http1Connection::fail(ErrorKind kind, std::string what, bool timed_out) {
  HttpFailure failure;
  failure.error = {kind, "http1 " + address().text(), std::move(what)};
  if (state_ == State::awaiting_head) failure.stage = HttpFailure::Stage::before_head;
  if (state_ == State::in_body) failure.stage = HttpFailure::Stage::in_body;
  // A late answer is no sign of a connection that the peer closed while it rested.
  failure.reused_connection = reused_ && !byte_seen_ && !timed_out;
  failure.timed_out = timed_out;
  ports::HttpCallSink* sink = release_call();
  close();
  sink->on_fail(failure);
}

ports::HttpCallSink* Http1Connection::release_call() {
  call_->attach(nullptr);
  call_ = nullptr;
  return std::exchange(sink_, nullptr);
}

void Http1Connection::close() {
  move_to(State::closed);
  if (call_ != nullptr) release_call();
  timer_->stop();
  dial_.reset();
  stream_.reset();
  spec_.body.reset();
  owner_.on_closed(*this);
}

void Http1Connection::pause() {
  if (paused_) return;
  paused_ = true;
  if (stream_ != nullptr) stream_->pause_reading();
}

void Http1Connection::resume() {
  if (!paused_) return;
  paused_ = false;
  if (state_ == State::in_body) mark_ = ports_.clock.now();
  if (stream_ != nullptr) stream_->resume_reading();
  arm();
}

std::optional<Instant> Http1Connection::stage_deadline() const {
  Duration wait;
  if (state_ == State::dialing) wait = spec_.timeouts.connect;
  if (state_ == State::awaiting_head && !paused_) wait = spec_.timeouts.first_byte;
  if (state_ == State::in_body && !paused_) wait = spec_.timeouts.idle;
  if (wait.is_zero()) return std::nullopt;
  return mark_ + wait;
}

// The timer may run for an earlier deadline than there is any more: it then only looks again. So
// a call on a kept connection, or a read of the body, seldom touches the timer.
void Http1Connection::arm() {
  std::optional<Instant> deadline = stage_deadline();
  if (!spec_.timeouts.total.is_zero()) {
    const Instant last = started_ + spec_.timeouts.total;
    deadline = deadline ? std::min(*deadline, last) : last;
  }
  if (!deadline) return;
  if (timer_->is_running() && armed_for_ <= *deadline) return;
  armed_for_ = *deadline;
  timer_->start(std::max(Duration(), *deadline - ports_.clock.now()));
}

void Http1Connection::on_timer() {
  if (state_ == State::resting || state_ == State::closed) return;
  if (refusal_) return fail(refusal_->kind, refusal_->text);
  if (has_more_to_send() && state_ != State::dialing && stream_->pending_bytes() == 0) send_more();
  const Instant now = ports_.clock.now();
  const Duration total = spec_.timeouts.total;
  if (!total.is_zero() && now >= started_ + total) {
    return fail(ErrorKind::gone, "the call took longer than its total time", true);
  }
  const auto deadline = stage_deadline();
  if (deadline && now >= *deadline) {
    if (!send_advanced()) return fail_late();
    mark_ = now;
  }
  arm();
}

// While the request is being sent, progress counts instead of the answer's first byte.
bool Http1Connection::send_advanced() {
  if (state_ != State::awaiting_head || sent_) return false;
  const uint64_t unsent = unsent_bytes();
  return unsent < std::exchange(unsent_seen_, unsent);
}

void Http1Connection::fail_late() {
  const char* what = "no byte of the body came within the idle time";
  if (state_ == State::dialing) what = "no connection within the connect time";
  if (state_ == State::awaiting_head) {
    what = sent_ ? "no answer within the first-byte time" : "the peer does not read the request";
  }
  fail(ErrorKind::gone, what, true);
}

}  // namespace sluice::drivers
