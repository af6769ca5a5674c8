#include "tests/testbed/answer_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/testbed/words.h"

namespace sluice::testbed {

AnswerScript::AnswerScript(const InferRequest& request, std::int64_t limit, bool stops)
    : seed_(text_seed(request.prompt_text)),
      calls_(request.calls),
      reasoning_(request.calls.empty() ? std::min(request.reasoning_tokens, limit) : 0),
      tokens_(limit),
      stops_(stops) {
  if (calls_.empty()) return;
  const std::int64_t wanted = kTokensOfCall * static_cast<std::int64_t>(calls_.size());
  cut_ = limit < wanted;
  tokens_ = std::min(limit, wanted);
}

std::string_view AnswerScript::finish_reason() const {
  if (!calls_.empty() && !cut_) return "tool_calls";
  return stops_ && calls_.empty() ? "stop" : "length";
}

// The first choice is the one that a request for a single one gets.
std::uint64_t AnswerScript::seed_of(int choice) const {
  return choice == 0 ? seed_ : mix(seed_ + static_cast<std::uint64_t>(choice));
}

Piece AnswerScript::piece(int choice, std::int64_t index) const {
  Piece piece;
  piece.last = index + 1 == tokens_;
  if (!calls_.empty()) {
    piece.kind = Piece::Kind::arguments;
    piece.call = static_cast<int>(index / kTokensOfCall);
    piece.opens = index % kTokensOfCall == 0;
    piece.closes = piece.last || (index + 1) % kTokensOfCall == 0;
    piece.text = argument_piece(choice, index);
    return piece;
  }
  const bool reasons = index < reasoning_;
  piece.kind = reasons ? Piece::Kind::reasoning : Piece::Kind::text;
  piece.opens = index == (reasons ? 0 : reasoning_);
  piece.closes = piece.last || index + 1 == reasoning_;
  piece.text = word(seed_of(choice), index);
  return piece;
}

// {"query":"...","call":N}: the words in between are escaped as JSON wants them.
std::string AnswerScript::argument_piece(int choice, std::int64_t index) const {
  const std::int64_t place = index % kTokensOfCall;
  if (place == 0) return "{\"query\":\"";
  if (place == kTokensOfCall - 1) return fmt::format("\",\"call\":{}}}", index / kTokensOfCall);
  const std::string quoted = nlohmann::json(word(seed_of(choice), index)).dump();
  return quoted.substr(1, quoted.size() - 2);
}

std::string AnswerScript::all(int choice, Piece::Kind kind, int call) const {
  std::string text;
  for (std::int64_t i = 0; i < tokens_; ++i) {
    const Piece one = piece(choice, i);
    if (one.kind == kind && one.call == call) text += one.text;
  }
  return text;
}

int AnswerScript::calls_begun() const {
  if (calls_.empty()) return 0;
  return static_cast<int>((tokens_ + kTokensOfCall - 1) / kTokensOfCall);
}

std::string AnswerScript::call_id(std::string_view prefix, int choice, int call) const {
  return fmt::format("{}{:016x}", prefix,
                     mix(seed_of(choice) ^ mix(static_cast<std::uint64_t>(call) + 1000)));
}

}  // namespace sluice::testbed
