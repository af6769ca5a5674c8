// What a parser said of a stream of bytes, as one line of text: equal traces = equal events.
// The bytes arrive in pieces and are kept until the parser consumed them, as a connection does it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/check.h"
#include "firmware/ports/http_parser.h"

namespace sluice::testing {

// Ends of pieces: every byte alone, or every `size` bytes.
inline std::vector<size_t> cuts_every(size_t size, size_t total) {
  std::vector<size_t> cuts;
  for (size_t at = size; at < total; at += size) cuts.push_back(at);
  return cuts;
}

inline std::string text(const ports::HttpFields& fields) {
  std::string out;
  for (const ports::HttpField& field : fields) out += " " + field.name + "=" + field.value;
  return out;
}

inline std::string text(const ports::HttpRequestHead& head) {
  return "head " + head.method + " " + head.target + " 1." + std::to_string(head.minor_version) +
         (head.keep_alive ? " keep" : " close") + (head.expects_continue ? " continue" : "") +
         (head.has_body ? " body" : "") +
         (head.content_length ? " length " + std::to_string(*head.content_length) : "") +
         text(head.fields) + "|";
}

inline std::string text(const ports::HttpResponseHead& head) {
  return "head " + std::to_string(head.status) + (head.keep_alive ? " keep" : " close") +
         (head.content_length ? " length " + std::to_string(*head.content_length) : "") +
         text(head.fields) + "|";
}

class ParseTrace {
 public:
  // False after a fault. `restart` is called after each message.
  template <class Parser, class Restart>
  bool feed(Parser& parser, std::string_view piece, const Restart& restart) {
    kept_.append(piece);
    while (true) {
      const ports::HttpStep step = parser.step(kept_);
      ENSURE(step.consumed <= kept_.size());
      note(parser, step);
      if (step.event == ports::HttpEvent::fault) return false;
      if (step.event == ports::HttpEvent::end) restart();
      kept_.erase(0, step.consumed);
      if (step.event == ports::HttpEvent::need_more) return true;
    }
  }
  template <class Parser>
  void note(const Parser& parser, const ports::HttpStep& step) {
    switch (step.event) {
      case ports::HttpEvent::need_more:
        break;
      case ports::HttpEvent::head:
        out_ += text(parser.head());
        break;
      case ports::HttpEvent::body:
        out_ += step.body;
        break;
      case ports::HttpEvent::end:
        out_ += "|end|";
        break;
      case ports::HttpEvent::fault:
        out_ += "|fault " + std::to_string(step.status) + " " + step.fault;
        break;
    }
  }
  const std::string& text_so_far() const { return out_; }
  size_t kept() const { return kept_.size(); }

 private:
  std::string kept_;
  std::string out_;
};

inline std::string trace_requests(ports::HttpParsers& parsers, std::string_view bytes,
                                  const std::vector<size_t>& cuts,
                                  const ports::HttpLimits& limits = {}) {
  const auto parser = parsers.request_parser(limits);
  ParseTrace trace;
  size_t from = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t to = i < cuts.size() ? cuts[i] : bytes.size();
    const std::string_view piece = bytes.substr(from, to - from);
    if (!trace.feed(*parser, piece, [&] { parser->restart(); })) break;
    from = to;
  }
  return trace.text_so_far();
}

// Answers to GET, or to HEAD; then the connection ends.
inline std::string trace_responses(ports::HttpParsers& parsers, std::string_view bytes,
                                   const std::vector<size_t>& cuts, bool to_head = false,
                                   const ports::HttpLimits& limits = {}) {
  const auto parser = parsers.response_parser(limits);
  parser->restart(to_head);
  ParseTrace trace;
  size_t from = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t to = i < cuts.size() ? cuts[i] : bytes.size();
    const std::string_view piece = bytes.substr(from, to - from);
    if (!trace.feed(*parser, piece, [&] { parser->restart(to_head); })) {
      return trace.text_so_far();
    }
    from = to;
  }
  trace.note(*parser, parser->at_end());
  return trace.text_so_far();
}

}  // namespace sluice::testing
