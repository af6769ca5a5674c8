// The server's side of one HTTP exchange, seen by whoever answers it.
// A connection asks its HttpService to open() an activity for each request head, feeds it the
// body, and offers it an HttpAnswer to write to.
// Thread: loop. Lifetime: the connection owns the activity and destroys it, a turn later, after
// end(), cut() or on_client_gone; the HttpAnswer outlives the activity.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "firmware/ports/http_message.h"
#include "firmware/ports/streams.h"

namespace sluice::ports {

class HttpAnswer {
 public:
  virtual ~HttpAnswer() = default;
  // Order: send_head once, then send_body any number of times, then end or cut, once.
  // `length`: the exact body size; nothing = chunked (HTTP/1.0 clients: until close).
  virtual void send_head(int status, const HttpFields& fields, std::optional<uint64_t> length) = 0;
  virtual void send_body(std::string_view bytes) = 0;
  virtual void end() = 0;  // complete; the connection may serve another request
  virtual void cut() = 0;  // incomplete: the client must see a broken transfer, not an end
  virtual bool head_sent() const = 0;
  // Bytes accepted but not yet taken by the kernel. Stop above kAnswerBacklogHigh and go on at
  // on_drained.
  virtual size_t backlog_bytes() const = 0;
};

inline constexpr size_t kAnswerBacklogHigh = 256 * 1024;

class HttpActivity {
 public:
  virtual ~HttpActivity() = default;
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_body_end() = 0;
  // The client left before the answer ended. Nothing can be sent any more; last callback.
  virtual void on_client_gone() = 0;
  virtual void on_drained() = 0;
};

struct HttpPeer {
  Address address;
  bool local_socket = false;
};

class HttpService {
 public:
  virtual ~HttpService() = default;
  // May answer at once (refusal): then the body is not asked for. `answer` is not to be used
  // inside open() but from the first callback or a later turn on; exception: answer at once.
  virtual std::unique_ptr<HttpActivity> open(const HttpRequestHead& head, const HttpPeer& peer,
                                             HttpAnswer& answer) = 0;
};

}  // namespace sluice::ports
