#include "drivers/http1/request_parser.h"

#include "drivers/http1/beast_message.h"

namespace sluice::drivers {

using ports::HttpEvent;
using ports::HttpStep;

Http1RequestParser::Http1RequestParser(const ports::HttpLimits& limits)
    : scan_(limits, HeadScan::Side::request), body_(limits) {}

void Http1RequestParser::restart() {
  state_ = State::head;
  blank_line_skipped_ = false;
  scan_.restart();
}

HttpStep Http1RequestParser::refuse(int status, std::string fault) {
  state_ = State::faulty;
  fault_status_ = status;
  fault_ = std::move(fault);
  HttpStep step;
  step.event = HttpEvent::fault;
  step.status = fault_status_;
  step.fault = fault_;
  return step;
}

HttpStep Http1RequestParser::step(std::string_view input) {
  switch (state_) {
    case State::head:
      return step_head(input);
    case State::body: {
      HttpStep step = body_.step(input);
      if (step.event == HttpEvent::end) state_ = State::complete;
      if (step.event == HttpEvent::fault) return refuse(step.status, std::move(step.fault));
      return step;
    }
    case State::complete:
      return {};
    case State::faulty:
      return refuse(fault_status_, fault_);
  }
  return refuse(fault_status_, fault_);
}

HttpStep Http1RequestParser::step_head(std::string_view input) {
  size_t skipped = 0;
  if (!blank_line_skipped_ && !scan_.has_started() && input.starts_with("\r\n")) {
    blank_line_skipped_ = true;
    skipped = 2;
  }
  const std::string_view rest = input.substr(skipped);
  switch (scan_.feed(rest)) {
    case HeadScan::Outcome::need_more: {
      HttpStep step;
      step.consumed = skipped;
      return step;
    }
    case HeadScan::Outcome::fault:
      return refuse(scan_.fault().status, scan_.fault().text);
    case HeadScan::Outcome::complete:
      break;
  }
  const int fields = scan_.rules().facts().fields;
  if (!read_request_head(rest.substr(0, scan_.size()), fields, &head_)) {
    return refuse(400, "the head is not well formed");
  }
  return begin_body(skipped + scan_.size());
}

HttpStep Http1RequestParser::begin_body(size_t consumed) {
  const FieldFacts& facts = scan_.rules().facts();
  head_.keep_alive = scan_.rules().keeps_alive(head_.minor_version);
  head_.content_length = facts.content_length;
  head_.has_body = facts.has_transfer_encoding || facts.content_length.value_or(0) > 0;
  head_.expects_continue = facts.expects_continue && head_.minor_version > 0 && head_.has_body;
  if (facts.has_transfer_encoding) {
    body_.start_chunked();
  } else {
    body_.start_counted(facts.content_length.value_or(0));
  }
  state_ = State::body;
  HttpStep step;
  step.event = HttpEvent::head;
  step.consumed = consumed;
  return step;
}

}  // namespace sluice::drivers
