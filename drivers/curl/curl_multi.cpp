#include "drivers/curl/curl_multi.h"

#include <uv.h>

#include <algorithm>

#include "firmware/base/check.h"

namespace sluice::drivers {

struct CurlMulti::Socket {
  uv_poll_t poll;
  CurlMulti* multi;
  curl_socket_t fd;

  static void ready(uv_poll_t* poll, int status, int events) noexcept {
    Socket& socket = *static_cast<Socket*>(poll->data);
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if ((events & UV_READABLE) != 0) flags |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0) flags |= CURL_CSELECT_OUT;
    socket.multi->act(socket.fd, flags);
  }
  static void closed(uv_handle_t* handle) noexcept { delete static_cast<Socket*>(handle->data); }
};

CurlMulti::CurlMulti(uv_loop_t* loop)
    : loop_(loop),
      handle_(curl_multi_init()),
      share_(curl_share_init()),
      wake_(loop, [this] { act(CURL_SOCKET_TIMEOUT, 0); }),
      later_(loop, [this] { deliver_all(); }) {
  ENSURE(handle_ != nullptr && share_ != nullptr);
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  curl_multi_setopt(handle_, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(handle_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(handle_, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(handle_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(handle_, CURLMOPT_MAXCONNECTS, kIdleConnectionsMax);
}

CurlMulti::~CurlMulti() {
  ENSURE(posted_.empty());
  curl_multi_cleanup(handle_);  // closes idle connections, through on_socket
  curl_share_cleanup(share_);
}

int CurlMulti::on_socket(CURL*, curl_socket_t fd, int what, void* multi, void* known) noexcept {
  auto& self = *static_cast<CurlMulti*>(multi);
  auto* socket = static_cast<Socket*>(known);
  if (what == CURL_POLL_REMOVE) {
    if (socket == nullptr) return 0;
    curl_multi_assign(self.handle_, fd, nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&socket->poll), Socket::closed);
    return 0;
  }
  if (socket == nullptr) {
    socket = new Socket{{}, &self, fd};
    socket->poll.data = socket;
    ENSURE(uv_poll_init_socket(self.loop_, &socket->poll, fd) == 0);
    curl_multi_assign(self.handle_, fd, socket);
  }
  const int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                     ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
  uv_poll_start(&socket->poll, events, Socket::ready);
  return 0;
}

int CurlMulti::on_timer(CURLM*, long timeout_ms, void* multi) noexcept {
  auto& self = *static_cast<CurlMulti*>(multi);
  if (timeout_ms < 0) {
    self.wake_.stop();
  } else {
    self.wake_.start(static_cast<uint64_t>(timeout_ms));
  }
  return 0;
}

void CurlMulti::add(CURL* easy, CurlActivity& activity) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &activity);
  curl_easy_setopt(easy, CURLOPT_SHARE, share_);
  ENSURE(curl_multi_add_handle(handle_, easy) == CURLM_OK);
}

void CurlMulti::remove(CURL* easy) { ENSURE(curl_multi_remove_handle(handle_, easy) == CURLM_OK); }

void CurlMulti::post(CurlActivity& activity) {
  if (std::find(posted_.begin(), posted_.end(), &activity) == posted_.end()) {
    posted_.push_back(&activity);
  }
  later_.start(0);
}

void CurlMulti::forget(CurlActivity& activity) { std::erase(posted_, &activity); }

void CurlMulti::act(curl_socket_t fd, int events) {
  int running = 0;
  ENSURE(curl_multi_socket_action(handle_, fd, events, &running) == CURLM_OK);
  collect_results();
  deliver_all();
}

void CurlMulti::collect_results() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(handle_, &left)) {
    char* activity = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &activity);
    reinterpret_cast<CurlActivity*>(activity)->on_result(message->data.result);
  }
}

// A sink may post or destroy activities: the front is taken anew each time, and what is posted
// meanwhile waits for its own turn.
void CurlMulti::deliver_all() {
  for (size_t left = posted_.size(); left > 0 && !posted_.empty(); --left) {
    CurlActivity* first = posted_.front();
    posted_.erase(posted_.begin());
    first->deliver();
  }
  if (posted_.empty()) later_.stop();
}

}  // namespace sluice::drivers
