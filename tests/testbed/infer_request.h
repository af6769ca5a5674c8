// A request for generated text in any of the dialects that the stand-in speaks, reduced to what
// decides its answer. The prompt's text is the concatenation of all texts in the order of the body:
// system or instructions first, then every message's text parts and every tool result.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::testbed {

enum class Dialect {
  chat,        // /v1/chat/completions
  text,        // /v1/completions
  responses,   // /v1/responses
  messages,    // /v1/messages
  transcript,  // /v1/audio/transcriptions and translations; its body is multipart
};

struct InferRequest {
  static constexpr int kMaxChoices = 16;

  Dialect dialect = Dialect::chat;
  std::string model;
  std::string prompt_text;  // as words.h takes it
  bool stream = false;
  bool include_usage = false;
  std::int64_t max_tokens = 0;  // 0: not given
  bool ignore_eos = false;
  int choices = 1;
  bool logprobs = false;
  bool obfuscation = false;
  std::int64_t reasoning_tokens = 0;  // testbed_reasoning: the first tokens are reasoning_content
  // The tools that the answer calls, in the order of the request's list: those that the last
  // message names by "call NAME", if it is a user's; one anyway where a call is required.
  std::vector<std::string> calls;
  std::string previous_response_id;
  bool store = true;
  // testbed_fields: members added to every chunk and body, as a vendor would add them.
  nlohmann::json more_fields = nlohmann::json::object();

  bool answers_in_tools() const { return !calls.empty(); }
};

// An error text for people when the body is not a request.
std::optional<std::string> read_infer_request(std::string_view body, Dialect dialect,
                                              InferRequest* request);

// All texts of a message's content: a string, or parts with a text, or tool results.
std::string text_of_content(const nlohmann::json& content);

}  // namespace sluice::testbed
