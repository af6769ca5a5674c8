// libcurl's multi interface on the loop: its sockets are polled and its timer kept by libuv.
// libcurl calls back only while it is itself called; what its callbacks bring is kept by the
// CurlCall and handed on afterwards, so that no sink ever runs inside libcurl.
// Order: all calls end before the multi.
#pragma once

#include <curl/curl.h>

#include <string>
#include <vector>

#include "drivers/curl/loop_timer.h"

namespace sluice::drivers {

inline constexpr long kIdleConnectionsMax = 16;

class CurlActivity {  // one transfer
 public:
  virtual ~CurlActivity() = default;
  virtual void on_result(CURLcode code) = 0;  // the transfer has ended; keep it, tell nobody yet
  virtual void deliver() = 0;                 // what is kept, to the sink; may destroy this
};

class CurlMulti {
 public:
  explicit CurlMulti(uv_loop_t* loop);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  uv_loop_t* loop() { return loop_; }
  void add(CURL* easy, CurlActivity& activity);  // the activity is remembered in CURLOPT_PRIVATE
  void remove(CURL* easy);
  // deliver() of the activity is called when libcurl has returned, and not inside this call.
  void post(CurlActivity& activity);
  void forget(CurlActivity& activity);  // no deliver() any more

 private:
  struct Socket;
  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* multi, void* socket) noexcept;
  static int on_timer(CURLM* handle, long timeout_ms, void* multi) noexcept;
  void act(curl_socket_t fd, int events);
  void collect_results();
  void deliver_all();

  uv_loop_t* const loop_;
  CURLM* const handle_;
  CURLSH* const share_;  // TLS sessions: a fresh connection resumes one
  LoopTimer wake_;       // when libcurl wants to be called
  LoopTimer later_;      // for what is posted outside act()
  std::vector<CurlActivity*> posted_;
};

}  // namespace sluice::drivers
