#include "drivers/mbedtls/tls_stream.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr char kHandshakeRecord = 0x16;  // the first octet of a TLS connection, RFC 5246 6.2.1
constexpr Duration kTellRateEvery = Duration::seconds(60);

// For who asks with http:// where https:// is spoken.
std::string plain_http_answer() {
  constexpr std::string_view kBody =
      R"({"error":{"message":"This port speaks HTTPS and was asked in plain HTTP, so what was sent )"
      R"(could be read on the way; ask again with https:// in front.",)"
      R"("type":"invalid_request_error","param":null,"code":"https_needed"}})";
  return fmt::format(
      "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n"
      "connection: close\r\n\r\n{}",
      kBody.size(), kBody);
}

bool is_plain_http(char first) { return first >= 'A' && first <= 'Z'; }

}  // namespace

TlsStream::TlsStream(std::unique_ptr<ports::ByteStream> inner,
                     std::shared_ptr<const TlsContext> context, TlsHouse& house)
    : inner_(std::move(inner)),
      house_(house),
      context_(std::move(context)),
      late_(house.timers.make([this] { on_late(); })) {}

// Also who just goes says so (RFC 5246 7.2.1): else the client would take it for a broken
// connection.
TlsStream::~TlsStream() {
  if (gone_ != nullptr) *gone_ = true;
  if (state_ != State::open || fin_sent_) return;
  session_->close_notify();
  flush();
}

void TlsStream::move_to(State next) {
  ENSURE(state_ != State::over || next == State::over);
  state_ = next;
  if (next == State::over) late_->stop();
}

void TlsStream::start(ports::ByteSink& sink) {
  ENSURE(state_ == State::waiting);
  sink_ = &sink;
  move_to(State::greeting);
  late_->start(house_.limits.handshake_max);
  inner_->start(*this);
}

// Over the rate nothing is computed: the connection ends.
bool TlsStream::is_within_rate() {
  const Instant now = house_.clock.now();
  if (house_.rate.take(peer().host, now)) return true;
  ++house_.over_rate;
  if (house_.told == Instant() || now - house_.told >= kTellRateEvery) {
    house_.log.warning("tls",
                       "{} connections refused, the last from {}: more handshakes than "
                       "limits.tls_handshakes_per_second_max or its share of one address",
                       std::exchange(house_.over_rate, 0), peer().host);
    house_.told = now;
  }
  return false;
}

bool TlsStream::greet(char first) {
  if (first != kHandshakeRecord) {
    if (is_plain_http(first) && !ending_) inner_->write(plain_http_answer());
    fail(is_plain_http(first) ? "plain HTTP on the TLS port" : "what came first is no TLS");
    return false;
  }
  if (!is_within_rate()) {
    fail("too many handshakes");
    return false;
  }
  session_ = std::make_unique<TlsSession>(std::move(context_));
  move_to(State::handshake);
  return true;
}

bool TlsStream::shake_hands() {
  const TlsSession::Step step = session_->handshake();
  flush();
  if (step == TlsSession::Step::wants_more) return true;
  if (step != TlsSession::Step::done) {
    fail("the handshake failed: " +
         (session_->why().empty() ? std::string("the client ended it") : session_->why()));
    return false;
  }
  house_.log.debug("tls", "{}: {}", peer().host, session_->words());
  move_to(State::open);
  active_ = true;
  late_->start(kRestAfter);
  if (!unsent_.empty()) {
    const std::string text = std::exchange(unsent_, {});
    if (session_->write(text)) flush();
  }
  if (ending_) finish_writing();
  if (paused_) inner_->pause_reading();
  return true;
}

void TlsStream::on_bytes(std::string_view bytes) {
  if (state_ == State::over || peer_ended_ || bytes.empty()) return;
  if (state_ == State::greeting && !greet(bytes.front())) return;
  session_->feed(bytes);
  const bool was_open = state_ == State::open;
  if (!was_open && !shake_hands()) return;
  if (state_ != State::open || !deliver()) return;
  if (!was_open) session_->rest();  // the handshake is what needs most
}

bool TlsStream::deliver() {
  std::array<char, TlsSession::kRecordMax> text;
  bool gone = false;
  gone_ = &gone;
  bool goes_on = true;
  while (goes_on && state_ == State::open && !paused_ && !peer_ended_) {
    size_t count = 0;
    const TlsSession::Step step = session_->read(text, &count);
    goes_on = take_step(step, {text.data(), count});
    if (gone) return false;
  }
  gone_ = nullptr;
  if (state_ != State::open) return false;
  held_ = session_->unread();
  if (peer_ended_) held_.clear();
  session_->feed({});
  flush();
  stay_awake();
  return true;
}

// The sink may destroy the stream: each call of it is the last.
bool TlsStream::take_step(TlsSession::Step step, std::string_view text) {
  switch (step) {
    case TlsSession::Step::done:
      sink_->on_bytes(text);
      return true;
    case TlsSession::Step::wants_more:
      return false;
    case TlsSession::Step::ended:
      peer_ended_ = true;
      sink_->on_end();
      return false;
    case TlsSession::Step::failed:
      flush();  // the alert
      fail(session_->why());
      return false;
  }
  return false;
}

void TlsStream::flush() {
  std::string& outgoing = session_->outgoing();
  if (outgoing.empty()) return;
  if (!fin_sent_) inner_->write(outgoing);
  if (outgoing.capacity() > TlsSession::kOutgoingKept) std::string().swap(outgoing);
  outgoing.clear();
}

void TlsStream::write(std::string_view bytes) {
  ENSURE(state_ != State::waiting && !ending_);
  if (state_ == State::over || bytes.empty()) return;
  if (state_ != State::open) {
    unsent_.append(bytes);
    return;
  }
  if (!session_->write(bytes)) {
    failed_ = session_->why();
    return turn_soon();
  }
  flush();
  stay_awake();
}

size_t TlsStream::pending_bytes() const { return inner_->pending_bytes() + unsent_.size(); }

size_t TlsStream::untaken_bytes() const { return inner_->untaken_bytes() + unsent_.size(); }

void TlsStream::pause_reading() {
  paused_ = true;
  if (state_ == State::open) inner_->pause_reading();
}

void TlsStream::resume_reading() {
  if (!std::exchange(paused_, false) || state_ != State::open) return;
  if (held_.empty()) return inner_->resume_reading();
  turn_soon();
}

void TlsStream::end_writing() {
  ENSURE(state_ != State::waiting);
  if (std::exchange(ending_, true) || state_ == State::over) return;
  if (state_ == State::open || unsent_.empty()) finish_writing();
}

void TlsStream::finish_writing() {
  if (state_ == State::open) {
    session_->close_notify();
    flush();
  }
  fin_sent_ = true;
  inner_->end_writing();
}

void TlsStream::reset() {
  if (state_ == State::over) return;
  move_to(State::over);
  inner_->reset();
}

// Restarting a timer for each record would cost more than it saves.
void TlsStream::stay_awake() {
  active_ = true;
  if (!late_->is_running()) late_->start(kRestAfter);
}

void TlsStream::on_late() {
  if (state_ != State::open) return fail("no handshake within its time");
  if (std::exchange(active_, false)) return late_->start(kRestAfter);
  session_->rest();
}

void TlsStream::turn_soon() {
  if (turn_ == nullptr) turn_ = house_.timers.make([this] { on_turn(); });
  turn_->start(Duration());
}

void TlsStream::on_turn() {
  if (state_ != State::open) return;
  if (failed_) return fail(*std::exchange(failed_, std::nullopt));
  if (paused_) return;
  const std::string bytes = std::exchange(held_, {});
  session_->feed(bytes);
  if (deliver() && !paused_) inner_->resume_reading();
}

// Order: in a callback of the inner stream or of a timer.
void TlsStream::fail(const std::string& why) {
  house_.log.debug("tls", "{}: {}", peer().host, why);
  move_to(State::over);
  if (!fin_sent_) inner_->end_writing();
  fin_sent_ = true;
  sink_->on_error({ErrorKind::broken, "tls", "connection from " + peer().text() + ": " + why});
}

void TlsStream::on_end() {
  if (state_ == State::over || peer_ended_) return;
  if (state_ != State::open) return fail("the client left before the handshake was done");
  peer_ended_ = true;
  sink_->on_end();
}

void TlsStream::on_error(const Error& error) {
  if (state_ == State::over) return;
  move_to(State::over);
  sink_->on_error(error);
}

void TlsStream::on_drained() {
  if (state_ == State::open && unsent_.empty()) sink_->on_drained();
}

}  // namespace sluice::drivers
