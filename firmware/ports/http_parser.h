// Incremental, pull-style parsing of HTTP/1.1, strict: what two parsers could read differently is
// refused (RFC 9112 sections 2 to 7 and 11.2).
// Order: step() with the unread input until `need_more`; drop `consumed` bytes each time; after
// `end` call restart() for the next message on the connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "firmware/base/units.h"
#include "firmware/ports/http_message.h"

namespace sluice::ports {

struct HttpLimits {
  Bytes start_line_max{8 * 1024};
  Bytes head_max{32 * 1024};  // start line and fields together
  int fields_max = 100;
  Bytes chunk_line_max{256};  // size and extensions of one chunk
  Bytes trailer_max{8 * 1024};
};

enum class HttpEvent {
  need_more,  // all input consumed or an incomplete line kept by the caller
  head,       // head() is complete
  body,       // `body` holds the next bytes of the body
  end,        // the message is complete
  fault,      // `status` and `fault` say why; the connection cannot be used again
};

struct HttpStep {
  HttpEvent event = HttpEvent::need_more;
  size_t consumed = 0;    // bytes of the input that need not be given again
  std::string_view body;  // points into the input
  int status = 0;         // for a fault on the server side: 400, 414, 417, 431, 501 or 505
  std::string fault;
};

class HttpRequestParser {
 public:
  virtual ~HttpRequestParser() = default;
  virtual HttpStep step(std::string_view input) = 0;
  virtual const HttpRequestHead& head() const = 0;  // after `head`
  virtual void restart() = 0;
};

class HttpResponseParser {
 public:
  virtual ~HttpResponseParser() = default;
  // Informational answers (1xx) are skipped. The input ended (FIN): at_end(), which completes a
  // body that is delimited by the close, and is a fault anywhere else inside a message.
  virtual HttpStep step(std::string_view input) = 0;
  virtual HttpStep at_end() = 0;
  virtual const HttpResponseHead& head() const = 0;
  virtual void restart(bool answers_head_method) = 0;
};

class HttpParsers {
 public:
  virtual ~HttpParsers() = default;
  virtual std::unique_ptr<HttpRequestParser> request_parser(const HttpLimits& limits) = 0;
  virtual std::unique_ptr<HttpResponseParser> response_parser(const HttpLimits& limits) = 0;
};

}  // namespace sluice::ports
