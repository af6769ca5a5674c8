#include "drivers/curl/curl_call.h"

#include <fmt/format.h>
#include <uv.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "drivers/curl/curl_failure.h"

namespace sluice::drivers {

using ports::HttpFailure;

CurlCall::CurlCall(CurlMulti& multi, const std::string& ca_file, const ports::OutboundWay& way,
                   ports::HttpCallSpec spec, ports::HttpCallSink& sink)
    : multi_(multi),
      way_(way),
      spec_(std::move(spec)),
      sink_(sink),
      deadline_(multi.loop(), [this] { on_deadline(); }) {
  const Result<void> sound = check_spec(spec_);
  if (sound) {
    start(ca_file);
  } else {
    fail(sound.error(), false);
  }
}

CurlCall::~CurlCall() {
  multi_.forget(*this);
  if (easy_) multi_.remove(easy_.get());  // an unfinished transfer: its connection is closed
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void CurlCall::start(const std::string& ca_file) {
  easy_.reset(curl_easy_init());
  ENSURE(easy_ != nullptr);
  CURL* easy = easy_.get();
  fields_ = field_list(spec_);
  set_options(easy, spec_, ca_file);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields_.get());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, note_.data());
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
  curl_easy_setopt(easy, CURLOPT_READDATA, this);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (way_ != ports::OutboundWay{}) {
    curl_easy_setopt(easy, CURLOPT_IPRESOLVE, families_of(way_));
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, this);
  }
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready_to_send);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  multi_.add(easy, *this);
}

int CurlCall::on_socket(void* call, curl_socket_t socket, curlsocktype /*purpose*/) noexcept {
  auto& self = *static_cast<CurlCall*>(call);
  const auto done = set_outbound(socket, self.way_);
  self.own_fault_.reset();  // of another address that was tried
  if (!done) self.own_fault_ = done.error();
  return done ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

void CurlCall::move_to(State next) {
  ENSURE(next > state_);
  state_ = next;
}

int CurlCall::on_ready_to_send(void* call, char*, char*, int, int) noexcept {
  auto& self = *static_cast<CurlCall*>(call);
  self.connected_ = true;
  if (!self.has_body_to_send() && self.state_ == State::sending) self.move_to(State::waiting);
  self.multi_.post(self);
  return CURL_PREREQFUNC_OK;
}

size_t CurlCall::on_send(char* out, size_t size, size_t count, void* call) noexcept {
  return static_cast<CurlCall*>(call)->send_some(out, size * count);
}

size_t CurlCall::on_line(char* bytes, size_t size, size_t count, void* call) noexcept {
  const std::string_view line(bytes, size * count);
  return static_cast<CurlCall*>(call)->take_line(line) ? line.size() : 0;
}

size_t CurlCall::on_bytes(char* bytes, size_t size, size_t count, void* call) noexcept {
  return static_cast<CurlCall*>(call)->take_bytes({bytes, size * count});
}

size_t CurlCall::send_some(char* out, size_t size) {
  if (!has_body_to_send()) return 0;
  const Result<std::string_view> piece = spec_.body->at(sent_, body_buffer_);
  if (!piece) {
    own_fault_ = piece.error();
    return CURL_READFUNC_ABORT;
  }
  const size_t part = std::min(size, piece->size());
  std::memcpy(out, piece->data(), part);
  sent_ += part;
  if (sent_ == spec_.body->size() && state_ == State::sending) {
    move_to(State::waiting);
    multi_.post(*this);
  }
  return part;
}

bool CurlCall::take_line(std::string_view line) {
  if (!head_.take_line(line)) {
    own_fault_ =
        Error{ErrorKind::broken, "http", fmt::format("{}: {}", spec_.origin.text(), head_.why())};
    return false;
  }
  if (head_.is_complete() && state_ < State::reading) {
    move_to(State::reading);
    multi_.post(*this);
  }
  return true;
}

size_t CurlCall::take_bytes(std::string_view bytes) {
  if (held_.size() >= kAnswerHeldMax) {
    blocked_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  received_ += bytes.size();
  if (spec_.body_max.count > 0 && received_ > static_cast<uint64_t>(spec_.body_max.count)) {
    own_fault_ = Error{ErrorKind::broken, "http",
                       fmt::format("{}: the answer is larger than {} bytes", spec_.origin.text(),
                                   spec_.body_max.count)};
    return 0;
  }
  held_.append(bytes);
  multi_.post(*this);
  return bytes.size();
}

void CurlCall::on_result(CURLcode code) {
  if (code == CURLE_OK && head_.is_complete()) {
    multi_.remove(easy_.get());
    easy_.reset();
    move_to(State::ended);
    deadline_.stop();
    multi_.post(*this);
    return;
  }
  CurlEnd end{code == CURLE_OK ? CURLE_GOT_NOTHING : code, 0, note_.data()};
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &end.os_errno);
  fail(own_fault_ ? *own_fault_ : to_error(end, spec_.origin.text()),
       code == CURLE_OPERATION_TIMEDOUT);
}

void CurlCall::fail(Error error, bool timed_out) {
  HttpFailure failure;
  failure.error = std::move(error);
  failure.timed_out = timed_out;
  using Stage = HttpFailure::Stage;
  failure.stage = head_.is_complete() ? Stage::in_body
                  : connected_        ? Stage::before_head
                                      : Stage::connect;
  if (easy_) {
    long connects = 0;
    long head_bytes = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(easy_.get(), CURLINFO_HEADER_SIZE, &head_bytes);
    failure.reused_connection = connected_ && connects == 0 && head_bytes == 0 && !timed_out;
    multi_.remove(easy_.get());
    easy_.reset();
  }
  failure_ = std::move(failure);
  move_to(State::ended);
  deadline_.stop();
  multi_.post(*this);
}

void CurlCall::deliver() {
  watch_deadline();
  if (!deliver_head() || !deliver_body()) return;
  if (state_ == State::ended && held_.empty() && (!paused_ || failure_)) deliver_end();
}

bool CurlCall::deliver_head() {
  if (head_told_ || !head_.is_complete()) return true;
  head_told_ = true;
  bool gone = false;
  destroyed_ = &gone;
  sink_.on_head(head_.head());
  if (!gone) destroyed_ = nullptr;
  return !gone;
}

bool CurlCall::deliver_body() {
  if (held_.empty() || paused_) return true;
  const std::string bytes = std::exchange(held_, std::string());
  bool gone = false;
  destroyed_ = &gone;
  sink_.on_body(bytes);
  if (gone) return false;
  destroyed_ = nullptr;
  unblock();
  return true;
}

void CurlCall::deliver_end() {
  move_to(State::told);
  if (failure_) {
    const HttpFailure failure = *std::exchange(failure_, std::nullopt);  // outlives this call
    sink_.on_fail(failure);
  } else {
    sink_.on_end();
  }
}

// libcurl may hand over what it kept, inside curl_easy_pause: take_bytes only keeps and posts it.
void CurlCall::unblock() {
  if (!blocked_ || paused_ || !easy_) return;
  blocked_ = false;
  curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
}

void CurlCall::pause() {
  if (paused_ || state_ == State::told) return;
  paused_ = true;
  if (easy_) curl_easy_pause(easy_.get(), CURLPAUSE_RECV);
}

void CurlCall::resume() {
  if (!paused_ || state_ == State::told) return;
  paused_ = false;
  blocked_ = false;
  quiet_since_ms_ = uv_now(multi_.loop());
  if (easy_) curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
  multi_.post(*this);
}

// Called when something has happened: the time without news starts anew.
void CurlCall::watch_deadline() {
  quiet_since_ms_ = uv_now(multi_.loop());
  if (state_ == State::waiting || state_ == State::reading) on_deadline();
}

void CurlCall::on_deadline() {
  const bool before_head = state_ == State::waiting;
  const Duration allowed = before_head ? spec_.timeouts.first_byte : spec_.timeouts.idle;
  if (state_ > State::reading) return;
  if (allowed.is_zero()) return;
  const auto allowed_ms = static_cast<uint64_t>(std::max<int64_t>(allowed.as_ms(), 1));
  const uint64_t now = uv_now(multi_.loop());
  if (paused_) quiet_since_ms_ = now;  // not the peer's silence
  const uint64_t quiet_ms = now - quiet_since_ms_;
  if (quiet_ms < allowed_ms) return deadline_.start(allowed_ms - quiet_ms);
  const char* what = before_head ? "no answer" : "no more of the answer";
  fail({ErrorKind::gone, "http",
        fmt::format("{}: {} within {} ms", spec_.origin.text(), what, allowed_ms)},
       true);
}

}  // namespace sluice::drivers
