// Chat and text completions in vLLM's shape.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/testbed/answer_wire.h"
#include "tests/testbed/words.h"

namespace sluice::testbed {

namespace {

using nlohmann::json;

std::string quote(std::string_view text) { return json(text).dump(); }

// One token's own entry; its number depends on the token only.
std::string logprob_of(std::string_view text) {
  json bytes = json::array();
  for (const char byte : text) bytes.push_back(static_cast<unsigned char>(byte));
  const double value = -static_cast<double>(text_seed(text) % 4096) / 1024.0;
  return fmt::format("{{\"token\":{},\"logprob\":{},\"bytes\":{},\"top_logprobs\":[]}}",
                     quote(text), value, bytes.dump());
}

class ChatWire final : public AnswerWire {
 public:
  explicit ChatWire(AnswerFacts facts);

  Events begin() override;
  Events token(int choice, const Piece& piece) override;
  Events end() override;
  Events failure() override;
  std::string whole() const override;
  std::string id() const override { return id_; }

 private:
  const InferRequest& asked() const { return facts_.request; }
  std::string event(std::string_view choices, std::string_view usage) const;
  std::string choice_event(int choice, std::string_view content, std::string_view logprobs,
                           std::string_view reason) const;
  std::string delta_of(int choice, const Piece& piece) const;
  std::string call_delta(int choice, const Piece& piece) const;
  std::string whole_choice(int choice) const;
  std::string whole_message(int choice) const;
  std::string whole_logprobs(int choice) const;
  std::string usage() const;

  AnswerFacts facts_;
  bool chat_;
  std::string id_;
  std::string model_;
  std::string more_;  // ,"key":value ... to stand before the closing brace
};

ChatWire::ChatWire(AnswerFacts facts)
    : facts_(std::move(facts)),
      chat_(asked().dialect == Dialect::chat),
      id_(fmt::format("{}-{:016x}{:08x}", chat_ ? "chatcmpl" : "cmpl",
                      mix(text_seed(asked().prompt_text) ^ facts_.number), facts_.number)),
      model_(quote(asked().model)) {
  for (const auto& [key, value] : asked().more_fields.items()) {
    more_ += fmt::format(",{}:{}", quote(key), value.dump());
  }
}

std::string ChatWire::event(std::string_view choices, std::string_view usage) const {
  const std::string noise =
      asked().obfuscation
          ? fmt::format(",\"obfuscation\":\"{}\"", std::string(1 + choices.size() % 13, 'x'))
          : "";
  return fmt::format(
      "data: {{\"id\":\"{}\",\"object\":\"{}\",\"created\":{},\"model\":{},\"choices\":[{}]{}{}{}}}"
      "\n\n",
      id_, chat_ ? "chat.completion.chunk" : "text_completion", facts_.created, model_, choices,
      usage, noise, more_);
}

std::string ChatWire::choice_event(int choice, std::string_view content, std::string_view logprobs,
                                   std::string_view reason) const {
  return event(fmt::format("{{\"index\":{},{},\"logprobs\":{},\"finish_reason\":{}}}", choice,
                           content, logprobs, reason.empty() ? "null" : quote(reason)),
               asked().include_usage ? ",\"usage\":null" : "");
}

Events ChatWire::begin() {
  Events events;
  for (int choice = 0; chat_ && choice < asked().choices; ++choice) {
    events.push_back(
        choice_event(choice, "\"delta\":{\"role\":\"assistant\",\"content\":\"\"}", "null", ""));
  }
  return events;
}

Events ChatWire::token(int choice, const Piece& piece) {
  const bool told = asked().logprobs && chat_ && piece.kind == Piece::Kind::text;
  const std::string logprobs =
      told ? fmt::format("{{\"content\":[{}],\"refusal\":null}}", logprob_of(piece.text)) : "null";
  return {choice_event(choice, delta_of(choice, piece), logprobs,
                       piece.last ? facts_.script.finish_reason() : "")};
}

std::string ChatWire::delta_of(int choice, const Piece& piece) const {
  if (!chat_) return "\"text\":" + quote(piece.text);
  switch (piece.kind) {
    case Piece::Kind::reasoning:
      return fmt::format("\"delta\":{{\"reasoning_content\":{}}}", quote(piece.text));
    case Piece::Kind::arguments:
      return call_delta(choice, piece);
    case Piece::Kind::text:
      break;
  }
  return fmt::format("\"delta\":{{\"content\":{}}}", quote(piece.text));
}

// The first fragment brings id, type and name; the others only the index.
std::string ChatWire::call_delta(int choice, const Piece& piece) const {
  std::string head;
  std::string name;
  if (piece.opens) {
    head = fmt::format("\"id\":\"{}\",\"type\":\"function\",",
                       facts_.script.call_id("call_", choice, piece.call));
    name = fmt::format("\"name\":{},", quote(asked().calls[static_cast<size_t>(piece.call)]));
  }
  return fmt::format(
      "\"delta\":{{\"tool_calls\":[{{{}\"index\":{},\"function\":{{{}\"arguments\":{}}}}}]}}", head,
      piece.call, name, quote(piece.text));
}

Events ChatWire::end() {
  Events events;
  if (asked().include_usage) events.push_back(event("", fmt::format(",\"usage\":{}", usage())));
  events.emplace_back("data: [DONE]\n\n");
  return events;
}

Events ChatWire::failure() {
  return {"data: " + error_body(500, "InternalServerError", "EngineCore encountered an issue.") +
          "\n\n"};
}

std::string ChatWire::usage() const {
  return fmt::format("{{\"prompt_tokens\":{},\"total_tokens\":{},\"completion_tokens\":{}}}",
                     facts_.prompt_tokens, facts_.prompt_tokens + facts_.answer_tokens(),
                     facts_.answer_tokens());
}

std::string ChatWire::whole() const {
  std::string choices;
  for (int choice = 0; choice < asked().choices; ++choice) {
    choices += (choice > 0 ? "," : "") + whole_choice(choice);
  }
  return fmt::format(
      "{{\"id\":\"{}\",\"object\":\"{}\",\"created\":{},\"model\":{},\"choices\":[{}],\"usage\":{}"
      "{}}}",
      id_, chat_ ? "chat.completion" : "text_completion", facts_.created, model_, choices, usage(),
      more_);
}

std::string ChatWire::whole_choice(int choice) const {
  const std::string content = chat_ ? fmt::format("\"message\":{{{}}}", whole_message(choice))
                                    : "\"text\":" + quote(facts_.script.text(choice));
  return fmt::format("{{\"index\":{},{},\"logprobs\":{},\"finish_reason\":{}}}", choice, content,
                     whole_logprobs(choice), quote(facts_.script.finish_reason()));
}

std::string ChatWire::whole_message(int choice) const {
  const AnswerScript& script = facts_.script;
  std::string text = "\"role\":\"assistant\",\"content\":";
  text += asked().answers_in_tools() ? "null" : quote(script.text(choice));
  if (asked().reasoning_tokens > 0) {
    text += fmt::format(",\"reasoning_content\":{}", quote(script.reasoning(choice)));
  }
  if (!asked().answers_in_tools()) return text;
  json calls = json::array();
  for (int call = 0; call < script.calls_begun(); ++call) {
    calls.push_back({{"id", script.call_id("call_", choice, call)},
                     {"type", "function"},
                     {"function",
                      {{"name", asked().calls[static_cast<size_t>(call)]},
                       {"arguments", script.arguments(choice, call)}}}});
  }
  return text + ",\"tool_calls\":" + calls.dump();
}

std::string ChatWire::whole_logprobs(int choice) const {
  if (!asked().logprobs || !chat_ || asked().answers_in_tools()) return "null";
  std::string list;
  for (std::int64_t i = 0; i < facts_.script.tokens(); ++i) {
    const Piece piece = facts_.script.piece(choice, i);
    if (piece.kind != Piece::Kind::text) continue;
    list += (list.empty() ? "" : ",") + logprob_of(piece.text);
  }
  return fmt::format("{{\"content\":[{}],\"refusal\":null}}", list);
}

}  // namespace

std::unique_ptr<AnswerWire> make_chat_wire(AnswerFacts facts) {
  return std::make_unique<ChatWire>(std::move(facts));
}

}  // namespace sluice::testbed
