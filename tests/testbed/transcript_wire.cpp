// Transcriptions and translations: text deltas and one done event with the usage, or one object.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/testbed/answer_wire.h"

namespace sluice::testbed {

namespace {

using json = nlohmann::ordered_json;

class TranscriptWire final : public AnswerWire {
 public:
  explicit TranscriptWire(AnswerFacts facts) : facts_(std::move(facts)) {}

  Events begin() override { return {}; }
  Events token(int /*choice*/, const Piece& piece) override {
    return {event("transcript.text.delta", {{"delta", piece.text}})};
  }
  Events end() override {
    return {event("transcript.text.done", {{"text", facts_.script.text(0)}, {"usage", usage()}})};
  }
  Events failure() override {
    return {"data: " + error_body(500, "InternalServerError", "The decoder stopped.") + "\n\n"};
  }
  std::string whole() const override {
    json body = {{"text", facts_.script.text(0)}, {"usage", usage()}};
    for (const auto& [key, value] : facts_.request.more_fields.items()) body[key] = value;
    return body.dump();
  }
  std::string id() const override { return {}; }

 private:
  static std::string event(const char* type, json fields) {
    json data = {{"type", type}};
    data.update(fields);
    return event_of(type, data.dump());
  }
  json usage() const {
    return {{"type", "tokens"},
            {"input_tokens", facts_.prompt_tokens},
            {"output_tokens", facts_.script.tokens()},
            {"total_tokens", facts_.prompt_tokens + facts_.script.tokens()}};
  }

  AnswerFacts facts_;
};

}  // namespace

std::unique_ptr<AnswerWire> make_transcript_wire(AnswerFacts facts) {
  return std::make_unique<TranscriptWire>(std::move(facts));
}

}  // namespace sluice::testbed
