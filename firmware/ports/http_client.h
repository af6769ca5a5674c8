// HTTP/1.1 out: plain (own client over Streams) or TLS (libcurl), one interface.
// One call is one attempt on the wire: the client itself never sends a request twice.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/ports/http_body.h"
#include "firmware/ports/http_message.h"
#include "firmware/ports/streams.h"

namespace sluice::ports {

struct HttpOrigin {
  bool tls = false;
  Address address;        // host is a name or literal; SNI and Host come from it
  std::string authority;  // the Host field's value
  std::string base_path;  // "" or "/prefix", no slash at the end
  std::string text() const;
};

// Accepts http://host[:port][/prefix] and https://...; refuses user info, query, fragment.
Result<HttpOrigin> parse_origin(std::string_view url);

// Where `path` ("/v1/models", "/metrics") is on this origin. People and providers give base URLs
// with or without the version of the API (".../v1", "/api/v3", "/v1beta/openai"): it is not
// doubled, and what lies beside the API is not sought below a final "/v1".
std::string path_at(const HttpOrigin& origin, std::string_view path);

struct HttpTimeouts {  // four different things; zero = none
  Duration connect = Duration::seconds(5);
  Duration first_byte;  // from the end of sending to the head
  Duration idle;        // between two reads of the body
  Duration total;
};

struct HttpCallSpec {
  HttpOrigin origin;
  std::string method = "POST";
  std::string target;                    // full, base_path included
  HttpFields fields;                     // without Host, Content-Length, Connection
  std::shared_ptr<const HttpBody> body;  // may be null
  HttpTimeouts timeouts;
  Bytes body_max{0};              // of the answer; zero = no bound (streams)
  bool fresh_connection = false;  // never reuse: use it after a reused one failed
};

struct HttpFailure {
  Error error;
  enum class Stage { connect, before_head, in_body } stage = Stage::connect;
  bool reused_connection = false;  // and no byte came: the peer may have closed it idle
  bool timed_out = false;
};

class HttpCallSink {
 public:
  virtual ~HttpCallSink() = default;
  virtual void on_head(const HttpResponseHead& head) = 0;
  virtual void on_body(std::string_view bytes) = 0;      // identity coding, chunk framing removed
  virtual void on_end() = 0;                             // the answer is complete; last callback
  virtual void on_fail(const HttpFailure& failure) = 0;  // last callback
};

class HttpCall {  // destroying it cancels: the connection is closed at once
 public:
  virtual ~HttpCall() = default;
  virtual void pause() = 0;  // stop reading: the client of the answer is full
  virtual void resume() = 0;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // The sink must outlive the call; it may destroy the call inside any callback.
  virtual std::unique_ptr<HttpCall> call(HttpCallSpec spec, HttpCallSink& sink) = 0;
};

}  // namespace sluice::ports
