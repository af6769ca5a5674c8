#include "drivers/uv/stream.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "drivers/uv/addresses.h"
#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr size_t kKeptBufferMax = 8 * 1024;  // a larger one is given back when it has been sent
constexpr int kTurnsBeforeReport = 2;

void give_back(std::string* buffer) {
  buffer->clear();
  if (buffer->capacity() > kKeptBufferMax) buffer->shrink_to_fit();
}

}  // namespace

UvStream::UvStream(UvLoop& loop, ports::Timers& timers, Socket* socket, ports::Address peer)
    : loop_(loop), timers_(timers), peer_(std::move(peer)), socket_(socket) {
  socket_->handle.data = this;
}

UvStream::~UvStream() {
  if (socket_ == nullptr) return;
  send_now({});
  close_socket(socket_);
}

void UvStream::move_to(State next) {
  ENSURE(state_ != State::over || next == State::over);
  ENSURE(next != State::waiting);
  state_ = next;
}

void UvStream::start(ports::ByteSink& sink) {
  ENSURE(state_ == State::waiting);
  sink_ = &sink;
  move_to(State::open);
  listen_to_peer();
}

void UvStream::listen_to_peer() {
  const int code = uv_read_start(&socket_->stream, on_buffer, on_read);
  if (code != 0) fail_soon(code);
}

void UvStream::pause_reading() {
  paused_ = true;
  if (socket_ != nullptr) uv_read_stop(&socket_->stream);
}

void UvStream::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  if (state_ == State::open && !peer_ended_) listen_to_peer();
}

void UvStream::on_buffer(uv_handle_t* handle, size_t /*suggested*/, uv_buf_t* buffer) noexcept {
  const auto* stream = static_cast<UvStream*>(handle->data);
  const std::span<char> shared = stream->loop_.read_buffer();
  *buffer = {shared.data(), shared.size()};
}

void UvStream::on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) noexcept {
  auto* owner = owner_of<UvStream>(stream);
  if (owner != nullptr && count != 0) owner->read_done(count, buffer->base);
}

// The sink may destroy the stream: each call of it is the last statement.
void UvStream::read_done(ssize_t count, const char* bytes) {
  if (count > 0) return sink_->on_bytes({bytes, static_cast<size_t>(count)});
  const int code = count == UV_EOF ? error_behind_end() : static_cast<int>(count);
  if (code == 0) {
    peer_ended_ = true;
    return sink_->on_end();
  }
  if (state_ == State::open) failure_ = uv_error("connection to " + peer_.text() + " broke", code);
  report_failure();
}

// libuv 1.44 reports a reset that comes together with the last bytes (a short read, then POLLHUP)
// as an end. The socket still knows: a cut transfer must not pass for a whole one.
int UvStream::error_behind_end() const {
  uv_os_fd_t descriptor = -1;
  int error = 0;
  socklen_t size = sizeof error;
  if (uv_fileno(&socket_->handle, &descriptor) != 0) return 0;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return 0;
  return error == 0 ? 0 : uv_translate_sys_error(error);
}

void UvStream::write(std::string_view bytes) {
  ENSURE(state_ != State::waiting && !ending_);
  if (state_ != State::open || bytes.empty()) return;
  if (writing_) {
    waiting_.append(bytes);
    return;
  }
  if (gathered_.size() + bytes.size() > kGatherMax) return send_now(bytes);
  const bool first = gathered_.empty();
  if (first) gathered_ = loop_.take_buffer();
  gathered_.append(bytes);
  if (first) loop_.gather(*this);
}

void UvStream::send_gathered() { send_now({}); }

// First what was gathered, then `bytes`.
void UvStream::send_now(std::string_view bytes) {
  if (state_ != State::open || (gathered_.empty() && bytes.empty())) return drop_gathered();
  const std::array<uv_buf_t, 2> buffers = {uv_buf_t{gathered_.data(), gathered_.size()},
                                           uv_buf_t{const_cast<char*>(bytes.data()), bytes.size()}};
  const unsigned from = gathered_.empty() ? 1 : 0;
  const unsigned count = 2 - from - (bytes.empty() ? 1 : 0);
  const int result = offer(std::span(buffers).subspan(from, count));
  if (result < 0 && result != UV_EAGAIN) {
    drop_gathered();
    return fail_soon(result);
  }
  const size_t taken = result > 0 ? static_cast<size_t>(result) : 0;
  if (taken < gathered_.size() + bytes.size()) {
    const size_t of_gathered = std::min(taken, gathered_.size());
    waiting_.assign(gathered_, of_gathered).append(bytes.substr(taken - of_gathered));
  }
  drop_gathered();
  if (!waiting_.empty()) send_waiting();
}

// One piece, the usual case, by send(2): write(2) takes the kernel's longer way through files.
int UvStream::offer(std::span<const uv_buf_t> pieces) {
  uv_os_fd_t descriptor = -1;
  if (pieces.size() > 1 || uv_fileno(&socket_->handle, &descriptor) != 0) {
    return uv_try_write(&socket_->stream, pieces.data(), static_cast<unsigned>(pieces.size()));
  }
  ssize_t taken = -1;
  do {
    taken = ::send(descriptor, pieces[0].base, pieces[0].len, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (taken < 0 && errno == EINTR);
  return taken >= 0 ? static_cast<int>(taken) : uv_translate_sys_error(errno);
}

void UvStream::drop_gathered() {
  if (gathered_.empty()) return;
  loop_.forget(*this);
  loop_.give_back(std::move(gathered_));
  gathered_ = {};
}

size_t UvStream::pending_bytes() const {
  if (!writing_ || socket_ == nullptr) return 0;
  return uv_stream_get_write_queue_size(&socket_->stream) + waiting_.size();
}

size_t UvStream::untaken_bytes() const {
  uv_os_fd_t descriptor = -1;
  int queued = 0;
  if (socket_ != nullptr && uv_fileno(&socket_->handle, &descriptor) == 0 &&
      ::ioctl(descriptor, TIOCOUTQ, &queued) != 0) {
    queued = 0;
  }
  return gathered_.size() + pending_bytes() + static_cast<size_t>(queued);
}

void UvStream::send_waiting() {
  socket_->sending.swap(waiting_);
  waiting_.clear();
  writing_ = true;
  std::string& sending = socket_->sending;
  const uv_buf_t buffer = {sending.data(), sending.size()};
  const int code = uv_write(&socket_->write, &socket_->stream, &buffer, 1, on_write);
  if (code == 0) return;
  writing_ = false;
  fail_soon(code);
}

void UvStream::on_write(uv_write_t* request, int status) noexcept {
  auto* owner = owner_of<UvStream>(request->handle);
  if (owner != nullptr) owner->write_done(status);
}

void UvStream::write_done(int status) {
  writing_ = false;
  give_back(&socket_->sending);
  if (state_ != State::open) return;
  if (status < 0) return fail_soon(status);
  if (!waiting_.empty()) return send_waiting();
  give_back(&waiting_);
  if (ending_) send_fin();
  sink_->on_drained();
}

void UvStream::end_writing() {
  ENSURE(state_ != State::waiting);
  if (std::exchange(ending_, true)) return;
  send_now({});
  if (state_ == State::open && !writing_) send_fin();
}

// The queue of libuv is empty, so its own uv_shutdown would only add a turn and two epoll calls.
// An error means that the peer is gone, which reading finds too.
void UvStream::send_fin() {
  uv_os_fd_t descriptor = -1;
  if (uv_fileno(&socket_->handle, &descriptor) == 0) ::shutdown(descriptor, SHUT_WR);
}

void UvStream::reset() {
  if (socket_ == nullptr) return;
  send_now({});
  move_to(State::over);
  report_.reset();
  reset_socket(std::exchange(socket_, nullptr));
}

void UvStream::fail_soon(int code) {
  if (state_ != State::open) return;
  move_to(State::failing);
  waiting_.clear();
  failure_ = uv_error("connection to " + peer_.text() + " broke", code);
  turns_to_report_ = kTurnsBeforeReport;
  if (report_ == nullptr) {
    report_ = timers_.make([this] {
      if (--turns_to_report_ > 0) return report_->start(Duration());
      report_failure();
    });
  }
  report_->start(Duration());
}

void UvStream::report_failure() {
  if (state_ == State::over) return;
  move_to(State::over);
  uv_read_stop(&socket_->stream);
  if (report_ != nullptr) report_->stop();
  sink_->on_error(std::exchange(failure_, Error()));
}

}  // namespace sluice::drivers
