#include "drivers/uapi/uapi_exchange.h"

#include <sys/socket.h>
#include <uv.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "drivers/uapi/control_socket.h"
#include "drivers/uapi/uapi_text.h"
#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr size_t kReadSize = size_t{64} * 1024;

}  // namespace

struct UapiExchange::Poll {
  uv_poll_t handle;
  UapiExchange* owner;  // null: given up
  static void on_ready(uv_poll_t* handle, int /*status*/, int /*events*/) noexcept {
    Poll& poll = *static_cast<Poll*>(handle->data);
    if (poll.owner != nullptr) poll.owner->act();
  }
};

UapiExchange::UapiExchange(UvLoop& loop, ports::Timers& timers, const std::string& path,
                           SecretText request, Duration time_max, OnAnswer on_answer)
    : on_answer_(std::move(on_answer)),
      request_(std::move(request)),
      failure_{ErrorKind::busy, "uapi", "no answer in time at " + path},
      timer_(timers.make([this] { on_time(); })) {
  timer_->start(time_max);
  connect(loop, path);
}

UapiExchange::~UapiExchange() {
  if (poll_ == nullptr) return;
  poll_->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
           [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
}

void UapiExchange::connect(UvLoop& loop, const std::string& path) {
  auto connected = connect_to(path);
  if (!connected) return end_soon(connected.error());
  descriptor_ = *std::move(connected);
  poll_ = new Poll{{}, this};
  ENSURE(uv_poll_init(loop.raw(), &poll_->handle, descriptor_.number()) == 0);
  poll_->handle.data = poll_;
  send_some();
  listen();
}

void UapiExchange::listen() {
  const int events = UV_READABLE | (state_ == State::sending ? UV_WRITABLE : 0);
  if (state_ != State::over) ENSURE(uv_poll_start(&poll_->handle, events, Poll::on_ready) == 0);
}

// An answer may come before all is sent: to a line that is not accepted.
void UapiExchange::act() {
  if (state_ == State::over || !read_some()) return;
  if (state_ == State::sending) send_some();
  listen();
}

void UapiExchange::send_some() {
  const std::string_view all = request_.reveal();
  while (sent_ < all.size()) {
    const ssize_t taken = ::send(descriptor_.number(), all.data() + sent_, all.size() - sent_,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno == EAGAIN) return;
    if (taken < 0) break;  // closed: why may still be read
    sent_ += static_cast<size_t>(taken);
  }
  request_.clear();
  sent_ = 0;
  state_ = State::reading;
}

// False: over, and this may be gone.
bool UapiExchange::read_some() {
  while (true) {
    const ssize_t size =
        ::recv(descriptor_.number(), answer_.room(kReadSize), kReadSize, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) {
      finish(Error{ErrorKind::gone, "uapi", "the connection was closed without an answer"});
      return false;
    }
    answer_.grow(static_cast<size_t>(size));
    if (is_whole_uapi_answer(answer_.reveal())) {
      finish(std::move(answer_));
      return false;
    }
    if (answer_.size() > kUapiAnswerMax) {
      finish(Error{ErrorKind::broken, "uapi", "the answer is too long"});
      return false;
    }
  }
}

void UapiExchange::end_soon(Error why) {
  state_ = State::over;
  failure_ = std::move(why);
  timer_->start(Duration());
}

void UapiExchange::finish(Result<SecretText> answer) {
  state_ = State::over;
  timer_->stop();
  if (poll_ != nullptr) uv_poll_stop(&poll_->handle);
  const OnAnswer tell = on_answer_;
  tell(std::move(answer));
}

void UapiExchange::on_time() { finish(failure_); }

}  // namespace sluice::drivers
