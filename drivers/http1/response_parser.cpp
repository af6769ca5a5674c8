#include "drivers/http1/response_parser.h"

#include "drivers/http1/beast_message.h"

namespace sluice::drivers {

using ports::HttpEvent;
using ports::HttpStep;

Http1ResponseParser::Http1ResponseParser(const ports::HttpLimits& limits)
    : scan_(limits, HeadScan::Side::response), body_(limits) {}

void Http1ResponseParser::restart(bool answers_head_method) {
  state_ = State::head;
  answers_head_method_ = answers_head_method;
  informational_ = 0;
  scan_.restart();
}

HttpStep Http1ResponseParser::refuse(std::string fault) {
  state_ = State::faulty;
  fault_ = std::move(fault);
  HttpStep step;
  step.event = HttpEvent::fault;
  step.fault = fault_;
  return step;
}

HttpStep Http1ResponseParser::step(std::string_view input) {
  switch (state_) {
    case State::head:
      return step_head(input);
    case State::body: {
      HttpStep step = body_.step(input);
      if (step.event == HttpEvent::end) state_ = State::complete;
      if (step.event == HttpEvent::fault) return refuse(std::move(step.fault));
      return step;
    }
    case State::complete:
      return {};
    case State::faulty:
      return refuse(fault_);
  }
  return refuse(fault_);
}

HttpStep Http1ResponseParser::at_end() {
  switch (state_) {
    case State::head:
      return refuse("the connection closed before the answer's head was complete");
    case State::body: {
      HttpStep step = body_.at_end();
      if (step.event == HttpEvent::fault) return refuse(std::move(step.fault));
      state_ = State::complete;
      return step;
    }
    case State::complete:
      return {};
    case State::faulty:
      return refuse(fault_);
  }
  return refuse(fault_);
}

HttpStep Http1ResponseParser::step_head(std::string_view input) {
  size_t skipped = 0;  // 1xx answers
  while (true) {
    const std::string_view rest = input.substr(skipped);
    const HeadScan::Outcome outcome = scan_.feed(rest);
    if (outcome == HeadScan::Outcome::fault) return refuse(scan_.fault().text);
    if (outcome == HeadScan::Outcome::need_more) {
      HttpStep step;
      step.consumed = skipped;
      return step;
    }
    if (scan_.status() >= 200) {
      const int fields = scan_.rules().facts().fields;
      if (!read_response_head(rest.substr(0, scan_.size()), fields, &head_)) {
        return refuse("the head is not well formed");
      }
      return begin_body(skipped + scan_.size());
    }
    if (++informational_ > kInformationalMax) return refuse("too many informational answers");
    skipped += scan_.size();
    scan_.restart();
  }
}

HttpStep Http1ResponseParser::begin_body(size_t consumed) {
  const FieldFacts& facts = scan_.rules().facts();
  head_.keep_alive = scan_.rules().keeps_alive(scan_.minor_version());
  head_.content_length = facts.content_length;
  if (answers_head_method_ || head_.status == 204 || head_.status == 304) {
    body_.start_none();
  } else if (facts.has_transfer_encoding) {
    body_.start_chunked();
  } else if (facts.content_length) {
    body_.start_counted(*facts.content_length);
  } else {
    body_.start_until_close();
    head_.keep_alive = false;
  }
  state_ = State::body;
  HttpStep step;
  step.event = HttpEvent::head;
  step.consumed = consumed;
  return step;
}

}  // namespace sluice::drivers
