// Requests from clients, strict (port: firmware/ports/http_parser.h). The work is divided: the raw
// scan (head_scan.h) decides what is refused, Beast (beast_message.h) splits the head, the body is
// decoded by body_decoder.h.
//
// State: head -> body -> complete -> (restart) head; head, body -> faulty.
// Errors: 400, 414, 417, 431, 501, 505, each with a text that quotes nothing of the request.
#pragma once

#include "drivers/http1/body_decoder.h"
#include "drivers/http1/head_scan.h"
#include "firmware/ports/http_parser.h"

namespace sluice::drivers {

class Http1RequestParser final : public ports::HttpRequestParser {
 public:
  explicit Http1RequestParser(const ports::HttpLimits& limits);

  ports::HttpStep step(std::string_view input) override;
  const ports::HttpRequestHead& head() const override { return head_; }
  void restart() override;

 private:
  enum class State { head, body, complete, faulty };

  ports::HttpStep step_head(std::string_view input);
  ports::HttpStep begin_body(size_t consumed);
  ports::HttpStep refuse(int status, std::string fault);

  State state_ = State::head;
  bool blank_line_skipped_ = false;  // one CR LF before a request line is tolerated
  HeadScan scan_;
  BodyDecoder body_;
  ports::HttpRequestHead head_;
  int fault_status_ = 0;
  std::string fault_;
};

}  // namespace sluice::drivers
