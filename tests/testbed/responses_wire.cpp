// The Responses API: named events with a running sequence_number; output items, each added, filled
// and done; response.completed, or response.incomplete where the limit cut the answer. No [DONE].
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/testbed/answer_wire.h"
#include "tests/testbed/words.h"

namespace sluice::testbed {

namespace {

using json = nlohmann::ordered_json;

class ResponsesWire final : public AnswerWire {
 public:
  explicit ResponsesWire(AnswerFacts facts)
      : facts_(std::move(facts)),
        number_(fmt::format("{:016x}{:08x}",
                            mix(text_seed(facts_.request.prompt_text) ^ facts_.number),
                            facts_.number)) {}

  Events begin() override;
  Events token(int choice, const Piece& piece) override;
  Events end() override;
  Events failure() override;
  std::string whole() const override { return final_response().dump(); }
  std::string id() const override { return "resp_" + number_; }

 private:
  std::string event(const char* type, json fields);
  json response(const char* status, json output) const;
  json final_response() const;
  json usage() const;
  const char* final_status() const;
  std::string item_id(const Piece& piece) const;
  json item(const Piece& piece, const char* status, std::string_view filled) const;
  json place(const Piece& piece) const;
  Events open(const Piece& piece);
  Events close(const Piece& piece);

  AnswerFacts facts_;
  std::string number_;
  std::int64_t sequence_ = 0;
  int output_ = -1;     // index of the item under way
  std::string filled_;  // its text or arguments so far
};

json part_of(std::string_view text) {
  return {{"type", "output_text"},
          {"text", text},
          {"annotations", json::array()},
          {"logprobs", json::array()}};
}

std::string ResponsesWire::event(const char* type, json fields) {
  json data = {{"type", type}, {"sequence_number", sequence_++}};
  data.update(fields);
  return event_of(type, data.dump());
}

const char* ResponsesWire::final_status() const {
  const bool cut = facts_.script.finish_reason() == "length" && facts_.request.max_tokens > 0;
  return cut ? "incomplete" : "completed";
}

json ResponsesWire::usage() const {
  const std::int64_t reasoned =
      facts_.request.answers_in_tools() ? 0 : facts_.request.reasoning_tokens;
  return {
      {"input_tokens", facts_.prompt_tokens},
      {"input_tokens_details", {{"cached_tokens", 0}}},
      {"output_tokens", facts_.script.tokens()},
      {"output_tokens_details", {{"reasoning_tokens", std::min(reasoned, facts_.script.tokens())}}},
      {"total_tokens", facts_.prompt_tokens + facts_.script.tokens()}};
}

json ResponsesWire::response(const char* status, json output) const {
  const InferRequest& asked = facts_.request;
  const bool ended = std::string_view(status) != "in_progress";
  const bool cut = std::string_view(status) == "incomplete";
  json result = {{"id", id()},
                 {"object", "response"},
                 {"created_at", facts_.created},
                 {"status", status},
                 {"error", nullptr},
                 {"incomplete_details", cut ? json{{"reason", "max_output_tokens"}} : json()},
                 {"instructions", nullptr},
                 {"max_output_tokens", asked.max_tokens > 0 ? json(asked.max_tokens) : json()},
                 {"model", asked.model},
                 {"output", std::move(output)},
                 {"parallel_tool_calls", true},
                 {"previous_response_id",
                  asked.previous_response_id.empty() ? json() : json(asked.previous_response_id)},
                 {"store", asked.store},
                 {"temperature", 1.0},
                 {"tool_choice", "auto"},
                 {"tools", json::array()},
                 {"top_p", 1.0},
                 {"usage", ended ? usage() : json()},
                 {"metadata", json::object()}};
  for (const auto& [key, value] : asked.more_fields.items()) result[key] = value;
  return result;
}

Events ResponsesWire::begin() {
  const json begun = response("in_progress", json::array());
  return {event("response.created", {{"response", begun}}),
          event("response.in_progress", {{"response", begun}})};
}

std::string ResponsesWire::item_id(const Piece& piece) const {
  switch (piece.kind) {
    case Piece::Kind::arguments:
      return facts_.script.call_id("fc_", 0, piece.call);
    case Piece::Kind::reasoning:
      return "rs_" + number_;
    case Piece::Kind::text:
      break;
  }
  return "msg_" + number_;
}

json ResponsesWire::item(const Piece& piece, const char* status, std::string_view filled) const {
  const bool done = std::string_view(status) != "in_progress";
  const std::string id = item_id(piece);
  switch (piece.kind) {
    case Piece::Kind::arguments:
      return {{"id", id},
              {"type", "function_call"},
              {"status", status},
              {"arguments", filled},
              {"call_id", facts_.script.call_id("call_", 0, piece.call)},
              {"name", facts_.request.calls[static_cast<size_t>(piece.call)]}};
    case Piece::Kind::reasoning: {
      json content = json::array();
      if (done) content.push_back({{"type", "reasoning_text"}, {"text", filled}});
      return {{"id", id}, {"type", "reasoning"}, {"summary", json::array()}, {"content", content}};
    }
    case Piece::Kind::text:
      break;
  }
  json content = json::array();
  if (done) content.push_back(part_of(filled));
  return {{"id", id},
          {"type", "message"},
          {"status", status},
          {"content", std::move(content)},
          {"role", "assistant"}};
}

json ResponsesWire::place(const Piece& piece) const {
  json where = {{"item_id", item_id(piece)}, {"output_index", output_}};
  if (piece.kind != Piece::Kind::arguments) where["content_index"] = 0;
  return where;
}

Events ResponsesWire::open(const Piece& piece) {
  ++output_;
  filled_.clear();
  Events events = {event("response.output_item.added",
                         {{"output_index", output_}, {"item", item(piece, "in_progress", "")}})};
  if (piece.kind != Piece::Kind::text) return events;
  json fields = place(piece);
  fields["part"] = part_of("");
  events.push_back(event("response.content_part.added", fields));
  return events;
}

Events ResponsesWire::token(int /*choice*/, const Piece& piece) {
  Events events;
  if (piece.opens) events = open(piece);
  filled_ += piece.text;
  json fields = place(piece);
  fields["delta"] = piece.text;
  const char* type = "response.function_call_arguments.delta";
  if (piece.kind == Piece::Kind::reasoning) type = "response.reasoning_text.delta";
  if (piece.kind == Piece::Kind::text) {
    type = "response.output_text.delta";
    fields["logprobs"] = json::array();
    if (facts_.request.obfuscation) {
      fields["obfuscation"] = std::string(1 + piece.text.size() % 13, 'x');
    }
  }
  events.push_back(event(type, fields));
  if (!piece.closes) return events;
  for (std::string& one : close(piece)) events.push_back(std::move(one));
  return events;
}

Events ResponsesWire::close(const Piece& piece) {
  Events events;
  json fields = place(piece);
  if (piece.kind == Piece::Kind::arguments) {
    fields["arguments"] = filled_;
    fields["name"] = facts_.request.calls[static_cast<size_t>(piece.call)];
    events.push_back(event("response.function_call_arguments.done", fields));
  } else {
    fields["text"] = filled_;
    if (piece.kind == Piece::Kind::reasoning) {
      events.push_back(event("response.reasoning_text.done", fields));
    } else {
      fields["logprobs"] = json::array();
      events.push_back(event("response.output_text.done", fields));
      json part = place(piece);
      part["part"] = part_of(filled_);
      events.push_back(event("response.content_part.done", part));
    }
  }
  const bool cut = piece.last && std::string_view(final_status()) == "incomplete";
  events.push_back(event("response.output_item.done",
                         {{"output_index", output_},
                          {"item", item(piece, cut ? "incomplete" : "completed", filled_)}}));
  return events;
}

json ResponsesWire::final_response() const {
  json output = json::array();
  std::string filled;
  for (std::int64_t i = 0; i < facts_.script.tokens(); ++i) {
    const Piece piece = facts_.script.piece(0, i);
    if (piece.opens) filled.clear();
    filled += piece.text;
    if (!piece.closes) continue;
    const bool cut = piece.last && std::string_view(final_status()) == "incomplete";
    output.push_back(item(piece, cut ? "incomplete" : "completed", filled));
  }
  return response(final_status(), std::move(output));
}

Events ResponsesWire::end() {
  const bool cut = std::string_view(final_status()) == "incomplete";
  return {
      event(cut ? "response.incomplete" : "response.completed", {{"response", final_response()}})};
}

Events ResponsesWire::failure() {
  json failed = response("failed", json::array());
  failed["error"] = {{"code", "server_error"}, {"message", "EngineCore encountered an issue."}};
  return {event("error", {{"code", "server_error"},
                          {"message", "EngineCore encountered an issue."},
                          {"param", nullptr}}),
          event("response.failed", {{"response", failed}})};
}

}  // namespace

std::unique_ptr<AnswerWire> make_responses_wire(AnswerFacts facts) {
  return std::make_unique<ResponsesWire>(std::move(facts));
}

}  // namespace sluice::testbed
