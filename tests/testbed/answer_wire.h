// An answer as bytes in one dialect. Events are complete with their blank line; each element of a
// list is one write, as an engine would flush it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/testbed/answer_script.h"
#include "tests/testbed/infer_request.h"

namespace sluice::testbed {

using Events = std::vector<std::string>;

class AnswerWire {
 public:
  virtual ~AnswerWire() = default;
  virtual Events begin() = 0;  // what comes with the head
  virtual Events token(int choice, const Piece& piece) = 0;
  virtual Events end() = 0;      // what comes after the last token
  virtual Events failure() = 0;  // an error in the middle of a stream
  virtual std::string whole() const = 0;
  virtual std::string id() const = 0;
};

struct AnswerFacts {
  InferRequest request;
  AnswerScript script;
  std::uint64_t number;  // of the request, for ids
  std::int64_t created;
  std::int64_t prompt_tokens;

  std::int64_t answer_tokens() const { return script.tokens() * request.choices; }
};

std::unique_ptr<AnswerWire> make_chat_wire(AnswerFacts facts);  // chat and text
std::unique_ptr<AnswerWire> make_responses_wire(AnswerFacts facts);
std::unique_ptr<AnswerWire> make_messages_wire(AnswerFacts facts);
std::unique_ptr<AnswerWire> make_transcript_wire(AnswerFacts facts);
std::unique_ptr<AnswerWire> make_wire(AnswerFacts facts);  // by the request's dialect

std::string error_body(int status, std::string_view type, std::string_view message);
// As Anthropic tells it; its type follows from the status.
std::string messages_error_body(int status, std::string_view message);
// A server-sent event; without a name if `name` is empty.
std::string event_of(std::string_view name, std::string_view data);

}  // namespace sluice::testbed
