// Anthropic's Messages: message_start; content blocks, each start, deltas, stop; message_delta with
// the usage so far; message_stop. A ping follows the first block's start.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/testbed/answer_wire.h"
#include "tests/testbed/words.h"

namespace sluice::testbed {

namespace {

using json = nlohmann::ordered_json;

std::string event(const char* type, json fields) {
  json data = {{"type", type}};
  data.update(fields);
  return event_of(type, data.dump());
}

class MessagesWire final : public AnswerWire {
 public:
  explicit MessagesWire(AnswerFacts facts)
      : facts_(std::move(facts)),
        id_(fmt::format("msg_{:016x}{:08x}",
                        mix(text_seed(facts_.request.prompt_text) ^ facts_.number),
                        facts_.number)) {}

  Events begin() override;
  Events token(int choice, const Piece& piece) override;
  Events end() override;
  Events failure() override {
    return {event("error", {{"error", {{"type", "overloaded_error"}, {"message", "Overloaded"}}}})};
  }
  std::string whole() const override;
  std::string id() const override { return id_; }

 private:
  json message(json content, json stop_reason, std::int64_t output_tokens) const;
  json opened_block(const Piece& piece) const;
  const char* stop_reason() const;

  AnswerFacts facts_;
  std::string id_;
  int block_ = -1;
};

const char* MessagesWire::stop_reason() const {
  const std::string_view reason = facts_.script.finish_reason();
  if (reason == "tool_calls") return "tool_use";
  return reason == "stop" ? "end_turn" : "max_tokens";
}

json MessagesWire::message(json content, json stop_reason, std::int64_t output_tokens) const {
  json usage = {{"input_tokens", facts_.prompt_tokens},
                {"cache_creation_input_tokens", 0},
                {"cache_read_input_tokens", 0},
                {"output_tokens", output_tokens}};
  json result = {{"id", id_},
                 {"type", "message"},
                 {"role", "assistant"},
                 {"model", facts_.request.model},
                 {"content", std::move(content)},
                 {"stop_reason", std::move(stop_reason)},
                 {"stop_sequence", nullptr},
                 {"usage", std::move(usage)}};
  for (const auto& [key, value] : facts_.request.more_fields.items()) result[key] = value;
  return result;
}

Events MessagesWire::begin() {
  return {event("message_start", {{"message", message(json::array(), nullptr, 1)}})};
}

json MessagesWire::opened_block(const Piece& piece) const {
  switch (piece.kind) {
    case Piece::Kind::reasoning:
      return {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}};
    case Piece::Kind::arguments:
      return {{"type", "tool_use"},
              {"id", facts_.script.call_id("toolu_", 0, piece.call)},
              {"name", facts_.request.calls[static_cast<size_t>(piece.call)]},
              {"input", json::object()}};
    case Piece::Kind::text:
      break;
  }
  return {{"type", "text"}, {"text", ""}};
}

Events MessagesWire::token(int /*choice*/, const Piece& piece) {
  Events events;
  if (piece.opens) {
    ++block_;
    events.push_back(
        event("content_block_start", {{"index", block_}, {"content_block", opened_block(piece)}}));
    if (block_ == 0) events.push_back(event("ping", json::object()));
  }
  json delta = {{"type", "text_delta"}, {"text", piece.text}};
  if (piece.kind == Piece::Kind::reasoning) {
    delta = {{"type", "thinking_delta"}, {"thinking", piece.text}};
  } else if (piece.kind == Piece::Kind::arguments) {
    delta = {{"type", "input_json_delta"}, {"partial_json", piece.text}};
  }
  events.push_back(event("content_block_delta", {{"index", block_}, {"delta", delta}}));
  if (piece.closes) events.push_back(event("content_block_stop", {{"index", block_}}));
  return events;
}

Events MessagesWire::end() {
  const json delta = {{"stop_reason", stop_reason()}, {"stop_sequence", nullptr}};
  const json usage = {{"output_tokens", facts_.script.tokens()}};
  return {event("message_delta", {{"delta", delta}, {"usage", usage}}),
          event("message_stop", json::object())};
}

std::string MessagesWire::whole() const {
  json content = json::array();
  if (facts_.request.reasoning_tokens > 0 && !facts_.request.answers_in_tools()) {
    content.push_back(
        {{"type", "thinking"}, {"thinking", facts_.script.reasoning(0)}, {"signature", ""}});
  }
  if (!facts_.request.answers_in_tools()) {
    content.push_back({{"type", "text"}, {"text", facts_.script.text(0)}});
  }
  for (int call = 0; call < facts_.script.calls_begun(); ++call) {
    json input = json::parse(facts_.script.arguments(0, call), nullptr, false);
    content.push_back({{"type", "tool_use"},
                       {"id", facts_.script.call_id("toolu_", 0, call)},
                       {"name", facts_.request.calls[static_cast<size_t>(call)]},
                       {"input", input.is_discarded() ? json::object() : input}});
  }
  return message(std::move(content), stop_reason(), facts_.script.tokens()).dump();
}

}  // namespace

std::unique_ptr<AnswerWire> make_messages_wire(AnswerFacts facts) {
  return std::make_unique<MessagesWire>(std::move(facts));
}

}  // namespace sluice::testbed
