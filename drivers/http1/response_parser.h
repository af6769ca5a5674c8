// Answers from engines and other servers, as strict as requests: a server that frames badly must
// not be able to have its next answer taken for a part of this one, or the reverse.
// The work is divided as in request_parser.h. Answers of class 1xx are skipped.
//
// State: head -> body -> complete -> (restart) head; head, body -> faulty.
#pragma once

#include "drivers/http1/body_decoder.h"
#include "drivers/http1/head_scan.h"
#include "firmware/ports/http_parser.h"

namespace sluice::drivers {

inline constexpr int kInformationalMax = 8;  // 1xx answers before the final one

class Http1ResponseParser final : public ports::HttpResponseParser {
 public:
  explicit Http1ResponseParser(const ports::HttpLimits& limits);

  ports::HttpStep step(std::string_view input) override;
  ports::HttpStep at_end() override;
  const ports::HttpResponseHead& head() const override { return head_; }
  void restart(bool answers_head_method) override;

 private:
  enum class State { head, body, complete, faulty };

  ports::HttpStep step_head(std::string_view input);
  ports::HttpStep begin_body(size_t consumed);
  ports::HttpStep refuse(std::string fault);

  State state_ = State::head;
  bool answers_head_method_ = false;
  int informational_ = 0;
  HeadScan scan_;
  BodyDecoder body_;
  ports::HttpResponseHead head_;
  std::string fault_;
};

}  // namespace sluice::drivers
