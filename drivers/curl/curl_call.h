// One attempt on the wire through libcurl.
//
//   sending -> waiting (all of the request is sent) -> reading (the head is there) -> ended -> told
// and from each of the first three to ended, by a failure.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "drivers/curl/answer_head.h"
#include "drivers/curl/curl_multi.h"
#include "drivers/curl/curl_request.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/outbound_way.h"

namespace sluice::drivers {

inline constexpr size_t kAnswerHeldMax = 256 * 1024;  // bytes of a body, not yet given to the sink

class CurlCall final : public ports::HttpCall, private CurlActivity {
 public:
  // `way` outlives the call.
  CurlCall(CurlMulti& multi, const std::string& ca_file, const ports::OutboundWay& way,
           ports::HttpCallSpec spec, ports::HttpCallSink& sink);
  ~CurlCall() override;
  CurlCall(const CurlCall&) = delete;
  CurlCall& operator=(const CurlCall&) = delete;

  void pause() override;
  void resume() override;

 private:
  enum class State { sending, waiting, reading, ended, told };

  static size_t on_send(char* out, size_t size, size_t count, void* call) noexcept;
  static size_t on_line(char* bytes, size_t size, size_t count, void* call) noexcept;
  static size_t on_bytes(char* bytes, size_t size, size_t count, void* call) noexcept;
  static int on_socket(void* call, curl_socket_t socket, curlsocktype purpose) noexcept;
  static int on_ready_to_send(void* call, char*, char*, int, int) noexcept;

  void start(const std::string& ca_file);
  size_t send_some(char* out, size_t size);
  bool take_line(std::string_view line);
  size_t take_bytes(std::string_view bytes);
  void move_to(State next);
  void fail(Error error, bool timed_out);
  bool has_body_to_send() const { return spec_.body != nullptr && spec_.body->size() > 0; }

  void on_result(CURLcode code) override;
  void deliver() override;
  bool deliver_head();  // false: the sink destroyed this
  bool deliver_body();
  void deliver_end();
  void unblock();

  void watch_deadline();
  void on_deadline();

  // Fixed after construction.
  CurlMulti& multi_;
  const ports::OutboundWay& way_;
  ports::HttpCallSpec spec_;
  ports::HttpCallSink& sink_;
  FieldList fields_;
  // Changes.
  State state_ = State::sending;
  EasyPtr easy_;  // none once ended
  std::array<char, CURL_ERROR_SIZE> note_{};
  uint64_t sent_ = 0;        // bytes of the body, to libcurl
  std::string body_buffer_;  // of a body that is not in memory
  bool connected_ = false;
  AnswerHead head_;
  bool head_told_ = false;
  std::string held_;                // bytes for the sink
  uint64_t received_ = 0;           // bytes of the body
  bool paused_ = false;             // by the owner
  bool blocked_ = false;            // by kAnswerHeldMax
  std::optional<Error> own_fault_;  // why we stopped libcurl
  std::optional<ports::HttpFailure> failure_;
  uint64_t quiet_since_ms_ = 0;  // of the loop's time
  LoopTimer deadline_;           // first byte, then idle
  bool* destroyed_ = nullptr;    // set while a sink is called
};

}  // namespace sluice::drivers
