// What an answer consists of, token by token, whatever the dialect it is told in: reasoning, then
// either text or tool calls, each with its arguments in fragments. A pure function of the request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/testbed/infer_request.h"

namespace sluice::testbed {

struct Piece {
  enum class Kind { text, reasoning, arguments };
  Kind kind = Kind::text;
  int call = 0;        // which tool call, for arguments
  bool opens = false;  // the first token of its text, reasoning or call
  bool closes = false;
  bool last = false;  // of the whole answer
  std::string text;   // of an argument: a fragment of JSON text
};

class AnswerScript {
 public:
  static constexpr std::int64_t kTokensOfCall = 8;

  // `limit`: the most tokens that are wanted; `stops`: the engine would end there by itself.
  AnswerScript(const InferRequest& request, std::int64_t limit, bool stops);

  std::int64_t tokens() const { return tokens_; }  // of each choice
  std::string_view finish_reason() const;          // stop, length or tool_calls
  Piece piece(int choice, std::int64_t index) const;

  // The whole of it, for answers in one piece.
  std::string text(int choice) const { return all(choice, Piece::Kind::text, 0); }
  std::string reasoning(int choice) const { return all(choice, Piece::Kind::reasoning, 0); }
  std::string arguments(int choice, int call) const {
    return all(choice, Piece::Kind::arguments, call);
  }
  int calls_begun() const;  // of the request's calls; less where the limit cut

  // Ids are functions of the request too: what is streamed and what is whole agree.
  std::string call_id(std::string_view prefix, int choice, int call) const;

 private:
  std::uint64_t seed_of(int choice) const;
  std::string all(int choice, Piece::Kind kind, int call) const;
  std::string argument_piece(int choice, std::int64_t index) const;

  std::uint64_t seed_;
  std::vector<std::string> calls_;
  std::int64_t reasoning_;
  std::int64_t tokens_;
  bool cut_ = false;
  bool stops_ = false;
};

}  // namespace sluice::testbed
